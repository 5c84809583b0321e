package testflwr

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Torch returns the directory of the environment of apps/quickstart_huggingface, which has torch. scripts/test.sh makes it: at 5 GB it is
// not made here. The test fails where it is missing. Nobody may change what is in it.
func Torch(t testing.TB) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(Root(t), "apps", "quickstart_huggingface", "requirements.txt"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "blossomtune-test", fmt.Sprintf("huggingface-%x", sha256.Sum256(text))[:len("huggingface-")+12])
	if _, err := os.Stat(filepath.Join(dir, ".ready")); err != nil {
		t.Fatalf("there is no Python environment with torch: %v. Run scripts/test.sh once", err)
	}
	return dir
}
