package python

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What an installer prints is for whoever mends it; who waits is told that it goes on.
func TestAnInstallationIsToldInShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		s := newSteps(func(line string) { got = append(got, line) })
		for i := range 30 {
			s.line(fmt.Sprintf("Collecting numpy==%d (from -r /srv/data/python/lock.txt (line 7))", i))
			s.line("  Downloading numpy-2.3.4-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl.metadata (62 kB)")
			<-time.After(time.Second)
		}
		s.end()
		if want := "still installing after 10 s, 10 packages so far"; len(got) < 2 || len(got) > 3 || !strings.HasPrefix(got[0], want[:26]) || !strings.HasSuffix(got[0], "packages so far") {
			t.Errorf("%q", got)
		}
	})
}

func TestTheInstallersOutputIsNotProgress(t *testing.T) {
	script := filepath.Join(t.TempDir(), "pip")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nfor i in 1 2 3 4 5 6 7 8; do echo \"Collecting a$i\"; done\necho 'ERROR: no such version' >&2\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	var told []string
	err := run(context.Background(), Options{Progress: func(line string) { told = append(told, line) }}, os.Environ(), script)
	if err == nil || !strings.Contains(err.Error(), "ERROR: no such version") {
		t.Errorf("the error lacks what the installer said last: %v", err)
	}
	if len(told) > 0 {
		t.Errorf("told %q", told)
	}
}
