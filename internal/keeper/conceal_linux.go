package keeper

import (
	"os"

	"golang.org/x/sys/unix"
)

// Conceal keeps other processes of the same user, such as ServerApps, from reading this one's memory and environment. What root's
// processes make from now on is closed to other users, as which apps may run.
func Conceal() {
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	if os.Geteuid() == 0 {
		unix.Umask(0o077)
	}
}
