// Package git takes the files of one folder at one commit out of a git repository, and nothing else: no check-out, so no filter,
// hook or link of the repository ever comes to anything; no submodules; no question to anybody.
package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// Source names the files.
type Source struct {
	Repository string
	Ref        string // a commit in full, a tag or a branch; empty: what the repository points to itself
	Folder     string // empty: its top
}

// Limits of one fetch.
type Limits struct {
	Wait  time.Duration
	Repo  int64 // bytes of the repository on disk
	Files int
	Bytes int64 // of the files together
	// Inside allows repositories on this machine and in its own network.
	Inside bool
}

// Fetch writes the files into an empty folder and returns the commit that the ref stands for. What cannot be is a [domain.Invalid] or
// [domain.Unavailable] error at one of the fields "repository", "ref" and "folder".
func Fetch(ctx context.Context, src Source, limits Limits, into string) (commit string, err error) {
	if err := src.check(limits.Inside); err != nil {
		return "", err
	}
	pin, err := pinned(ctx, src.Repository, limits.Inside)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "blossomtune-git-")
	if err != nil {
		return "", fmt.Errorf("making a temporary folder: %w", err)
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(ctx, limits.Wait)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go watchSize(ctx, dir, limits.Repo, stop)
	r := repo{dir: dir, pin: pin, src: src}
	if commit, err = r.fetch(ctx); err == nil {
		err = checkSize(dir, limits.Repo) // it may have come between two looks
	}
	if err == nil {
		err = r.extract(ctx, commit, limits, into)
	}
	var tooLarge *domain.Error
	switch cause := context.Cause(ctx); {
	case err == nil:
		return commit, nil
	case errors.As(cause, &tooLarge):
		return "", tooLarge
	case errors.Is(cause, context.DeadlineExceeded):
		return "", bad("repository", "The repository did not answer within %s.", limits.Wait).
			Fix("Try again later, or upload a zip of the app's folder.").Because(err)
	}
	return "", err
}

func bad(field, format string, args ...any) *domain.Error {
	return domain.Errorf(domain.Invalid, format, args...).At(field)
}

var refPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/+-]{0,199}$`)

func (s Source) check(inside bool) error {
	if err := checkRepository(s.Repository, inside); err != nil {
		return err
	}
	if s.Ref != "" && (!refPattern.MatchString(s.Ref) || strings.Contains(s.Ref, "..") || strings.Contains(s.Ref, "//")) {
		return bad("ref", "%q cannot be a commit, tag or branch.", s.Ref).Fix("Give a commit in full, a tag or a branch.")
	}
	if s.Folder != "" &&
		(!filepath.IsLocal(s.Folder) || path.Clean(s.Folder) != s.Folder || strings.ContainsAny(s.Folder, "\\:\x00\r\n") || s.Folder[0] == '-') {
		return bad("folder", "%q cannot be a folder of a repository.", s.Folder).Fix("Write it like apps/digits.")
	}
	return nil
}

// repo is a bare repository in a temporary folder.
type repo struct {
	dir string
	pin string // host:port:address, so that git asks whom we have checked
	src Source
}

// settings come before every command, and no other configuration is read.
func (r repo) settings() []string {
	out := []string{"-c", "core.hooksPath=" + os.DevNull, "-c", "credential.helper=", "-c", "http.followRedirects=false", "-c",
		"transfer.bundleURI=false",
		"-c", "protocol.version=2", "-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "core.attributesFile=" +
			os.DevNull, "-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=30"}
	if r.pin != "" {
		out = append(out, "-c", "http.curloptResolve="+r.pin)
	}
	return out
}

func (r repo) environ() []string {
	out := []string{"HOME=" + r.dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=false",
		"SSH_ASKPASS=false",
		"GIT_ALLOW_PROTOCOL=https:file", "GIT_OPTIONAL_LOCKS=0", "GIT_LFS_SKIP_SMUDGE=1", "LC_ALL=C", "GIT_DIR=" + filepath.Join(r.dir, "repo")}
	for _, name := range []string{"PATH", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
		"GIT_SSL_CAINFO", "SYSTEMROOT"} {
		if v := os.Getenv(name); v != "" {
			out = append(out, name+"="+v)
		}
	}
	return out
}

func (r repo) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", append(r.settings(), args...)...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = r.dir, r.environ(), time.Second
	ownGroup(cmd)
	return cmd
}

// git runs a command that says little.
func (r repo) git(ctx context.Context, args ...string) (string, error) {
	cmd := r.command(ctx, args...)
	var out, errs capped
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", r.explain(errs.String(), err)
	}
	return strings.TrimSpace(out.String()), nil
}

var wholeCommit = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// fetch brings the commit here and returns its name in full.
func (r repo) fetch(ctx context.Context) (string, error) {
	if _, err := r.git(ctx, "init", "--bare", "--quiet", filepath.Join(r.dir, "repo")); err != nil {
		return "", err
	}
	ref := r.src.Ref
	if ref == "" {
		ref = "HEAD"
	}
	get := func(args ...string) error {
		_, err := r.git(ctx,
			append([]string{"fetch", "--quiet", "--no-recurse-submodules", "--no-tags", "--end-of-options", r.src.Repository}, args...)...)
		return err
	}
	_, err := r.git(ctx, "fetch", "--quiet", "--depth=1", "--no-recurse-submodules", "--no-tags", "--end-of-options", r.src.Repository, ref)
	if err == nil {
		return r.git(ctx, "rev-parse", "--verify", "--quiet", "FETCH_HEAD^{commit}")
	}
	if !wholeCommit.MatchString(ref) || ctx.Err() != nil {
		return "", err
	}
	// Not every server gives out a commit by its name alone.
	if err := get("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"); err != nil {
		return "", err
	}
	commit, err := r.git(ctx, "rev-parse", "--verify", "--quiet", ref+"^{commit}")
	if err != nil {
		return "", noRef(ref).Because(err)
	}
	return commit, nil
}

func noRef(ref string) *domain.Error {
	e := bad("ref", "The repository has no commit, tag or branch %q.", ref)
	if regexp.MustCompile(`^[0-9a-f]{4,63}$`).MatchString(ref) && !wholeCommit.MatchString(ref) {
		return e.Fix("Give a commit in full: 40 or 64 digits.")
	}
	return e.Fix("Check its name.")
}

// explain says in our words what git said in its own.
func (r repo) explain(said string, err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		return domain.Errorf(domain.Unavailable, "Git is not installed on the server.").
			Fix("Ask who runs it, or upload a zip of the app's folder.").At("repository").Because(err)
	}
	err = fmt.Errorf("%w: %s", err, said)
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(said, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("couldn't find remote ref", "not our ref"):
		return noRef(r.src.Ref).Because(err)
	case has("Authentication failed", "could not read Username", "terminal prompts disabled", "error: 403", "error: 401"):
		return bad("repository", "The repository cannot be read without signing in.").
			Fix("Add a repository that everybody may read, or upload a zip of the app's folder.").Because(err)
	case has("error: 301", "error: 302", "error: 307", "error: 308", "redirect"):
		return bad("repository", "The repository is at another address; ours is not led elsewhere.").
			Fix("Open the address in a browser and take the one that it ends at, often with .git at its end.").Because(err)
	case has("not found", "does not exist", "does not appear to be a git repository", "error: 404", "No such file"):
		return bad("repository", "There is no git repository at this address.").Fix("Check the address.").Because(err)
	case has("dubious ownership"):
		return bad("repository", "The repository belongs to another user of the server.").Fix("Give it to the user that the server runs as.").
			Because(err)
	}
	return bad("repository", "Git cannot get this repository.").
		Fix("Check the address and that the server reaches it; the server's log says more.").Because(err)
}

// capped keeps the beginning of what is written to it.
type capped struct{ b []byte }

func (c *capped) Write(p []byte) (int, error) {
	c.b = append(c.b, p[:min(len(p), 64<<10-len(c.b))]...)
	return len(p), nil
}

func (c *capped) String() string { return string(c.b) }

// watchSize stops everything once a folder holds too much.
func watchSize(ctx context.Context, dir string, most int64, stop context.CancelCauseFunc) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := checkSize(dir, most); err != nil {
			stop(err)
			return
		}
	}
}

func checkSize(dir string, most int64) error {
	sum := int64(0)
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error { // what goes away meanwhile counts nothing
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				sum += info.Size()
			}
		}
		return nil
	})
	if sum > most {
		return domain.Errorf(domain.TooLarge, "The repository is larger than %d MB at this commit.", most>>20).
			Fix("Upload a zip of the app's folder.").At("repository")
	}
	return nil
}
