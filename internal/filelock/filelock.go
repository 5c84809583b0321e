// Package filelock gives files and directories one owner among the processes of a machine.
package filelock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// ErrHeld is returned when another process holds the lock; see [Owner].
var ErrHeld = errors.New("another process holds the lock")

// Lock is a held lock. The kernel releases it when the process ends, however it ends; child processes do not inherit it.
type Lock struct{ f *os.File }

// Take locks the file at path, which is created if needed, and writes this process's id and host into it. It never waits:
// it returns [ErrHeld] if another lock on the file is held, by this process or another one.
func Take(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock: %w", err)
	}
	if err := lock(f); err != nil {
		_ = f.Close()
		return nil, err
	}
	host, _ := os.Hostname() // only shown to people
	if err = f.Truncate(0); err == nil {
		_, err = f.WriteAt([]byte(fmt.Sprintln(os.Getpid(), host)), 0)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("writing the lock: %w", err)
	}
	return &Lock{f}, nil
}

// Stopping notes in the lock's file that its holder is stopping, and until when it may take. Others then wait for it; see [WaitForStop].
func (l *Lock) Stopping(until time.Time) error {
	info, err := l.f.Stat()
	if err == nil {
		_, err = l.f.WriteAt(fmt.Appendln(nil, stoppingWord, until.UnixMilli()), info.Size())
	}
	if err != nil {
		return fmt.Errorf("writing the lock: %w", err)
	}
	return nil
}

const (
	goneGrace = 250 * time.Millisecond // a process that was killed still ends
	stopGrace = 2 * time.Second        // and one that stops, after its time has passed
)

// Wait calls take until it returns something other than [ErrHeld], for at most limit.
func Wait(ctx context.Context, limit time.Duration, take func(context.Context) error) error {
	until := time.Now().Add(limit)
	return wait(ctx, take, func() time.Time { return until })
}

// WaitForStop calls take until it returns something other than [ErrHeld]. It waits only for a holder that is stopping: until the time
// that stopping reports, and a moment longer. stopping returns the zero time while the holder has not begun to stop.
func WaitForStop(ctx context.Context, take func(context.Context) error, stopping func() time.Time) error {
	gone := time.Now().Add(goneGrace)
	return wait(ctx, take, func() time.Time {
		if until := stopping(); !until.IsZero() {
			return until.Add(stopGrace)
		}
		return gone
	})
}

func wait(ctx context.Context, take func(context.Context) error, until func() time.Time) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := take(ctx)
		if !errors.Is(err, ErrHeld) {
			return err
		}
		if time.Now().After(until()) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Release gives the lock up. The file stays: removing it could take the lock from its next holder.
func (l *Lock) Release() error { return l.f.Close() }

// Held reports whether a process holds the lock on the file at path. A file that does not exist is not locked.
func Held(path string) (bool, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("opening the lock: %w", err)
	}
	defer f.Close()
	if err := lock(f); err != nil {
		if errors.Is(err, ErrHeld) {
			return true, nil
		}
		return false, err
	}
	return false, nil
}

// Holder is the process that last took a lock, as it wrote itself into the lock's file.
type Holder struct {
	PID      int       // 0: not known
	Host     string    // "" on this host
	Stopping time.Time // until when it may take to stop; zero unless it is stopping
}

const stoppingWord = "stopping"

// Read returns the process that last took the lock on the file at path; the zero Holder while that is not known.
func Read(path string) Holder {
	f, err := os.Open(path)
	if err != nil {
		return Holder{}
	}
	defer f.Close()
	text, _ := io.ReadAll(io.LimitReader(f, 512))
	first, rest, _ := strings.Cut(string(text), "\n")
	pid, host, _ := strings.Cut(strings.TrimSpace(first), " ")
	var h Holder
	if h.PID, err = strconv.Atoi(pid); err != nil || h.PID <= 0 {
		return Holder{}
	}
	if here, err := os.Hostname(); err == nil && host != here {
		h.Host = host
	}
	if ms, found := strings.CutPrefix(strings.TrimSpace(rest), stoppingWord+" "); found {
		if n, err := strconv.ParseInt(ms, 10, 64); err == nil {
			h.Stopping = time.UnixMilli(n)
		}
	}
	return h
}

// String describes the holder, such as "process 4711" or "process 4711 on host-b". It is "another process" while that is not known.
func (h Holder) String() string {
	switch {
	case h.PID == 0:
		return "another process"
	case h.Host == "":
		return "process " + strconv.Itoa(h.PID)
	}
	return "process " + strconv.Itoa(h.PID) + " on " + h.Host
}

// Owner describes the process that last took the lock on the file at path; see [Holder.String].
func Owner(path string) string { return Read(path).String() }
