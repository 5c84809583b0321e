//go:build !linux

package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"os"
	"path/filepath"
)

// maxSocketDir leaves room for the socket's name within macOS's 104 bytes.
const maxSocketDir = 85

func shortPath(dir string) (short string, done func(), err error) {
	if len(dir) <= maxSocketDir {
		return dir, func() {}, nil
	}
	sum := sha256.Sum256([]byte(dir))
	link := filepath.Join(os.TempDir(), "blossomtune-"+hex.EncodeToString(sum[:6]))
	if to, err := os.Readlink(link); err != nil || to != dir {
		_ = os.Remove(link)
		if err := os.Symlink(dir, link); err != nil {
			return "", nil, err
		}
	}
	return link, func() {}, nil
}

// peerUID trusts the socket's mode, 0600.
func peerUID(net.Conn) (int, error) { return os.Getuid(), nil }
