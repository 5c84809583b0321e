package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"blossomtune/internal/agent/ledger"
)

// leftMark is in the name of a folder that keeps the ledger of a federation that this machine has left.
const leftMark = ".left-"

// keepLedger moves the ledger of a home that is going to be removed into a folder beside it: it is the owner's proof of what left. It
// returns the folder; empty where there is no ledger.
func (h home) keepLedger(stamp string) (string, error) {
	dir := string(h) + leftMark + stamp
	for i, name := range ledger.Files() {
		if _, err := os.Lstat(h.file(name)); errors.Is(err, fs.ErrNotExist) {
			if i == 0 {
				return "", nil
			}
			continue
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", fmt.Errorf("keeping the ledger: %w", err)
		}
		if err := os.Rename(h.file(name), filepath.Join(dir, name)); err != nil {
			return "", fmt.Errorf("keeping the ledger: %w", err)
		}
	}
	return dir, nil
}

// LeftLedger returns a folder that keeps the ledger of a federation that this machine has left, for commands that read ledgers.
func LeftLedger(dir string) (Machine, bool) {
	if _, err := os.Stat(filepath.Join(dir, ledger.Files()[0])); err != nil || !strings.Contains(filepath.Base(dir), leftMark) {
		return Machine{}, false
	}
	return Machine{Dir: dir}, true
}
