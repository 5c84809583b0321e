//go:build !participant

package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The link for the first admin is the last thing that a start prints, however long Python takes.
func TestTheSetupLinkComesLast(t *testing.T) {
	for _, c := range []struct {
		python time.Duration
		open   bool
		times  int
	}{{time.Second, true, 1}, {2 * time.Minute, true, 2}, {2 * time.Minute, false, 1}} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			prepared := make(chan struct{})
			done := make(chan struct{})
			go func() {
				defer close(done)
				<-time.After(c.python)
				fmt.Fprintln(&out, "  python: ready")
				close(prepared)
			}()
			setup{&out, "https://fl.example.org/setup/x", prepared, func(context.Context) (bool, error) { return c.open, nil }}.show(t.Context())
			<-done
			if got := out.String(); strings.Count(got, "/setup/x") != c.times || c.open && !strings.HasSuffix(strings.TrimSpace(got), "/setup/x") {
				t.Errorf("%s: printed %q", c.python, got)
			}
		})
	}
}
