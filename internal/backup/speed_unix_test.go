//go:build unix

package backup

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRestore restores an encrypted backup with a file of 512 MB that does not compress, as models do not.
func BenchmarkRestore(b *testing.B) {
	p := newPlace(b, "")
	const size = 512 << 20
	if err := os.WriteFile(filepath.Join(p.set.Data, "federations/1/runs/7/work/large"), noise(size), 0o600); err != nil {
		b.Fatal(err)
	}
	key := filepath.Join(b.TempDir(), "key")
	recipient, err := NewKey(key)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := p.back(Protection{Recipients: []string{recipient}}); err != nil {
		b.Fatal(err)
	}
	text, err := ReadSecret(key)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	var used time.Duration
	for b.Loop() {
		o := p.target()
		o.Keys = Keys{Identities: text}
		before := cpu(b)
		if _, err := Restore(b.Context(), o); err != nil {
			b.Fatal(err)
		}
		used += cpu(b) - before
		if err := os.RemoveAll(o.Data); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(size)/1e6*float64(b.N)/used.Seconds(), "MB/cpu-s")
}
