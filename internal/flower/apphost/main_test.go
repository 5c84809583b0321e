package apphost_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"blossomtune/internal/flower/apphost"
	"blossomtune/internal/flower/python"
)

// TestMain lets the test binary be another process with a pool of its own: one that is killed in the middle of a build.
func TestMain(m *testing.M) {
	dir := os.Getenv("APPHOST_TEST_DIR")
	if dir == "" {
		m.Run()
		return
	}
	base, err := python.Open(os.Getenv("APPHOST_TEST_BASE"))
	if err != nil {
		panic(err)
	}
	fab, err := os.ReadFile(os.Getenv("APPHOST_TEST_FAB"))
	if err != nil {
		panic(err)
	}
	p, err := apphost.New(apphost.Options{Base: base, Dir: dir, Install: true, MaxTemplates: -1, Progress: func(line string) {
		if strings.HasPrefix(line, "Installed") {
			self, _ := os.FindProcess(os.Getpid())
			_ = self.Kill()
			select {}
		}
	}})
	if err != nil {
		panic(err)
	}
	_, err = p.Prepare(context.Background(), fab)
	panic(err)
}
