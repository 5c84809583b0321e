//go:build unix

package portmux

import "golang.org/x/sys/unix"

// openFiles returns how many files this process may open. Go has raised the soft limit to the hard one.
func openFiles() int {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 1024
	}
	return int(min(r.Cur, 1<<20))
}
