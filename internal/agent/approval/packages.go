package approval

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// PackagesOf returns a hash over the files of all packages that are installed in a Python environment, as its installer recorded them:
// path and SHA-256 of each. Scripts and the installer's own notes are left out, as they differ without a difference.
func PackagesOf(env string) (string, error) {
	records, err := filepath.Glob(filepath.Join(env, "lib", "python*", "site-packages", "*.dist-info", "RECORD"))
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, path := range records { // sorted
		fmt.Fprintf(h, "%s\n", filepath.Base(filepath.Dir(path)))
		f, err := os.Open(path)
		if err != nil {
			return "", fmt.Errorf("reading what is installed: %w", err)
		}
		in := bufio.NewScanner(f)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			if line := in.Text(); strings.Contains(line, "sha256=") && !strings.HasPrefix(line, "../") && !strings.Contains(line, ".dist-info/") {
				fmt.Fprintln(h, line)
			}
		}
		err = in.Err()
		_ = f.Close()
		if err != nil {
			return "", fmt.Errorf("reading what is installed: %w", err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
