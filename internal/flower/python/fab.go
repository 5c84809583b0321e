package python

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	ctx, cancel := context.WithTimeout(ctx, buildLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, e.Bin("flwr"), "build", "--app", dir)
	cmd.Dir, cmd.Env, cmd.WaitDelay = tmp, e.Environ(filepath.Join(tmp, "home")), time.Second
	ownGroup(cmd)
	said, err := cmd.CombinedOutput()
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("building the FAB: %w", errors.Join(ctx.Err(), err))
	}
	found, _ := filepath.Glob(filepath.Join(tmp, "*.fab")) // the pattern is sound
	if err != nil || len(found) != 1 {
		return nil, domain.Errorf(domain.Invalid, "Flower cannot build this app: %s.", words(string(said))).
			Fix("Run `flwr build` in its folder and mend what it says.").At("app").Because(err)
	}
	return os.ReadFile(found[0])
}

// words makes one line of a command's output, without the frames that it draws.
func words(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x2500 && r <= 0x257f }), " ")
	return strings.TrimSuffix(s[:min(len(s), 800)], ".")
}
