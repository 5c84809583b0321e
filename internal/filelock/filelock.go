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

// Wait calls take until it returns something else than [ErrHeld], for at most limit.
func Wait(ctx context.Context, limit time.Duration, take func(context.Context) error) error {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := take(ctx)
		if !errors.Is(err, ErrHeld) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			return err
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

// Owner describes the process that last took the lock, such as "process 4711" or "process 4711 on host-b". It is "another
// process" while that is not known.
func Owner(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return "another process"
	}
	defer f.Close()
	text, _ := io.ReadAll(io.LimitReader(f, 512))
	pid, host, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	if n, err := strconv.Atoi(pid); err != nil || n <= 0 {
		return "another process"
	}
	if here, err := os.Hostname(); err != nil || host == here || host == "" {
		return "process " + pid
	}
	return "process " + pid + " on " + host
}
