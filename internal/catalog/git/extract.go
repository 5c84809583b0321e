package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
)

// entry is one file of the commit.
type entry struct {
	object string
	size   int64
	path   string
}

// extract writes the folder's files, byte for byte as they are in the commit.
func (r repo) extract(ctx context.Context, commit string, limits Limits, into string) error {
	tree, err := r.git(ctx, "rev-parse", "--verify", "--quiet", commit+":"+r.src.Folder)
	if err == nil {
		var kind string
		if kind, err = r.git(ctx, "cat-file", "-t", tree); err == nil && kind != "tree" {
			err = errors.New("it is a " + kind)
		}
	}
	if err != nil {
		return bad("folder", "The repository has no folder %q at %s.", r.src.Folder, commit[:12]).
			Fix("Check its name, or leave it empty for the top.").Because(err)
	}
	entries, err := r.list(ctx, tree, limits)
	if err != nil {
		return err
	}
	return r.write(ctx, entries, into)
}

// list reads the tree and refuses what is no plain file, and more than an app has.
func (r repo) list(ctx context.Context, tree string, limits Limits) ([]entry, error) {
	cmd := r.command(ctx, "ls-tree", "-r", "-z", "-l", tree)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, r.explain("", err)
	}
	entries, listErr := readTree(bufio.NewReader(out), limits)
	if listErr != nil {
		_ = cmd.Cancel() // it has more to say that nobody wants to know
	}
	if err := cmd.Wait(); listErr == nil && err != nil {
		return nil, r.explain("", err)
	}
	return entries, listErr
}

func readTree(in *bufio.Reader, limits Limits) ([]entry, error) {
	var entries []entry
	left := limits.Bytes
	for {
		line, err := in.ReadString(0)
		if errors.Is(err, io.EOF) && line == "" {
			return entries, nil
		}
		if err != nil {
			return nil, fmt.Errorf("listing the commit: %w", err)
		}
		head, name, ok := strings.Cut(strings.TrimSuffix(line, "\x00"), "\t")
		f := strings.Fields(head) // mode, type, object, size
		if !ok || len(f) != 4 {
			return nil, fmt.Errorf("listing the commit: %q", line)
		}
		if f[1] == "commit" {
			return nil, bad("folder", "%s is a submodule, which is not taken along.", name).Fix("Name the folder of one app, or upload a zip of it.")
		}
		if f[0] == "120000" {
			return nil, bad("folder", "%s is a link, not a file.", name).Fix("Name the folder of one app, or put the file itself there.")
		}
		if !filepath.IsLocal(name) || path.Clean(name) != name || strings.ContainsAny(name, "\\:\r\n") {
			return nil, bad("folder", "It has the unsafe file name %q.", name)
		}
		size, err := strconv.ParseInt(f[3], 10, 64)
		if err != nil || size < 0 {
			return nil, fmt.Errorf("listing the commit: %q", line)
		}
		entries = append(entries, entry{f[2], size, name})
		if left -= size; len(entries) > limits.Files || left < 0 {
			return nil, domain.Errorf(domain.TooLarge, "The folder has more than %d files or %d MB.", limits.Files, limits.Bytes>>20).
				Fix("Name the folder of one app; keep data out of it.").At("folder")
		}
	}
}

// write asks git for the files' contents, one after the other.
func (r repo) write(ctx context.Context, entries []entry, into string) error {
	root, err := os.OpenRoot(into) // no name leads out of it
	if err != nil {
		return fmt.Errorf("opening a temporary folder: %w", err)
	}
	defer root.Close()
	var names strings.Builder
	for _, e := range entries {
		names.WriteString(e.object + "\n")
	}
	cmd := r.command(ctx, "cat-file", "--batch")
	cmd.Stdin = strings.NewReader(names.String())
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return r.explain("", err)
	}
	in := bufio.NewReader(out)
	var writeErr error
	for _, e := range entries {
		if writeErr = writeOne(root, e, in); writeErr != nil {
			_ = cmd.Cancel()
			break
		}
	}
	if err := cmd.Wait(); writeErr == nil && err != nil {
		return r.explain("", err)
	}
	return writeErr
}

func writeOne(root *os.Root, e entry, in *bufio.Reader) error {
	head, err := in.ReadString('\n')
	if err != nil {
		return fmt.Errorf("reading %s: %w", e.path, err)
	}
	if want := fmt.Sprintf("%s blob %d\n", e.object, e.size); head != want {
		return fmt.Errorf("reading %s: git says %q, not %q", e.path, head, want)
	}
	if err := root.MkdirAll(filepath.FromSlash(path.Dir(e.path)), 0o700); err != nil {
		return bad("folder", "%s cannot be unpacked.", e.path).Because(err)
	}
	f, err := root.OpenFile(filepath.FromSlash(e.path), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return bad("folder", "%s cannot be unpacked.", e.path).Because(err)
	}
	_, err = io.CopyN(f, in, e.size)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("unpacking %s: %w", e.path, err)
	}
	_, err = in.Discard(1) // the line's end
	return err
}
