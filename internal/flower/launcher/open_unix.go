//go:build unix

package launcher

import (
	"os"

	"golang.org/x/sys/unix"
)

func openPlain(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
}
