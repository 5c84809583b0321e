package safely

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
)

func TestAPanicIsLoggedAndReturned(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	if err := Do(log, "mail", func() error { panic("odd") }); err == nil || !strings.Contains(err.Error(), "odd") {
		t.Errorf("the panic came back as %v", err)
	}
	if text := out.String(); !strings.Contains(text, "job=mail") || !strings.Contains(text, "TestAPanicIsLoggedAndReturned") {
		t.Errorf("the log lacks the job or the stack: %s", text)
	}
	cause := errors.New("no")
	if err := Do(log, "mail", func() error { return cause }); !errors.Is(err, cause) {
		t.Errorf("the error came back as %v", err)
	}
}

func TestAJobThatPanickedIsStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		Keep(t.Context(), slog.New(slog.DiscardHandler), "job", func() {
			if runs++; runs < 3 {
				panic("odd")
			}
		})
		if runs != 3 {
			t.Errorf("the job ran %d times", runs)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		Keep(ctx, slog.New(slog.DiscardHandler), "job", func() { panic("odd") }) // returns at once
	})
}
