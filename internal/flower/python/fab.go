package python

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// buildLimit bounds one `flwr build`, which takes about a second.
const buildLimit = 2 * time.Minute

// BuildFAB makes the Flower App Bundle of an app's folder with Flower's own `flwr build`; the same files give the same bytes.
// A folder that Flower refuses is a [domain.Invalid] error at field "app" with Flower's words.
func (e Env) BuildFAB(ctx context.Context, dir string) ([]byte, error) {
	tmp, err := os.MkdirTemp("", "blossomtune-fab-")
	if err != nil {
		return nil, fmt.Errorf("making a temporary folder: %w", err)
	}
	defer os.RemoveAll(tmp)
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if dir, err = buildable(dir, tmp); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, buildLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, e.Bin("flwr"), "build", "--app", dir)
	cmd.Dir, cmd.Env, cmd.WaitDelay = tmp, append(e.Environ(filepath.Join(tmp, "home")), "COLUMNS=1000",
		"TYPER_STANDARD_TRACEBACK=1"), time.Second
	ownGroup(cmd)
	said, err := cmd.CombinedOutput()
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("building the FAB: %w", errors.Join(ctx.Err(), err))
	}
	found, _ := filepath.Glob(filepath.Join(tmp, "*.fab")) // the pattern is sound
	if err != nil || len(found) != 1 {
		return nil, domain.Errorf(domain.Invalid, "Flower cannot build this app: %s.",
			withoutPaths(words(lastWords(string(said))), dir, tmp, e.Dir)).
			Fix("Run `flwr build` in its folder and mend what it says.").At("app").Because(err)
	}
	return os.ReadFile(found[0])
}

var folderName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,31}$`)

// buildable returns the folder, or a copy under a name that flwr 1.42 takes: it refuses underscores in a folder's name, which
// a Python package has.
func buildable(dir, tmp string) (string, error) {
	name := filepath.Base(dir)
	if folderName.MatchString(name) {
		return dir, nil
	}
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, name)
	to := filepath.Join(tmp, "source", "app-"+name[:min(len(name), 28)])
	if folderName.MatchString(name) {
		to = filepath.Join(tmp, "source", name)
	}
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		return "", domain.Errorf(domain.Invalid, "The app's folder cannot be read.").At("app").Because(err)
	}
	return to, nil
}

// serverPath is an absolute path of some folders; of one in a message, its last part is enough.
var serverPath = regexp.MustCompile(`(^|[\s'"(=])(?:/[^\s/:'"()]+){2,}/([^\s/:'"()]*)`)

// withoutPaths takes the server's own folders out of a message that whoever sent the app sees.
func withoutPaths(s string, folders ...string) string {
	for _, f := range folders {
		if f != "" {
			s = strings.ReplaceAll(strings.ReplaceAll(s, f+string(filepath.Separator), ""), f, "the app's folder")
		}
	}
	return serverPath.ReplaceAllString(s, "$1$2")
}

// lastWords returns what a Python program says in the end: of a traceback only the exception.
func lastWords(s string) string {
	_, after, found := cutLast(strings.TrimSpace(s), "Traceback (most recent call last)")
	if !found {
		return s
	}
	lines := strings.Split(after, "\n")
	first := len(lines) - 1
	for first > 0 && !strings.HasPrefix(lines[first-1], " ") {
		first--
	}
	return strings.Join(lines[first:], "\n")
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// words makes one line of a command's output, without the frames that it draws.
func words(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x2500 && r <= 0x257f }), " ")
	return strings.TrimSuffix(domain.Cut(s, 800), ".")
}
