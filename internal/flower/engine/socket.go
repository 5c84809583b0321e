package engine

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// A unix socket's path has at most 107 bytes, a data directory may be deeper. The kernel counts the path that it is given,
// so a deep one is given through a file descriptor of its folder (see shortPath).

// listenSocket listens on the keeper's socket, which only this user may open. The caller holds the keeper's lock, so a
// socket that is there was left behind.
func listenSocket(fedDir string) (net.Listener, error) {
	path := filepath.Join(fedDir, sockName)
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("removing an old socket: %w", err)
	}
	short, done, err := shortPath(fedDir)
	if err != nil {
		return nil, err
	}
	defer done()
	var lc net.ListenConfig
	ln, err := lc.Listen(context.Background(), "unix", filepath.Join(short, sockName))
	if err != nil {
		return nil, fmt.Errorf("listening on the keeper's socket: %w", err)
	}
	// The path that was bound ends with the descriptor; the lock's next holder removes the file.
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := os.Chmod(path, 0o600); err != nil {
		_ = ln.Close()
		return nil, fmt.Errorf("closing the keeper's socket to others: %w", err)
	}
	return peerListener{ln}, nil
}

func dialSocket(ctx context.Context, fedDir string) (net.Conn, error) {
	short, done, err := shortPath(fedDir)
	if err != nil {
		return nil, err
	}
	defer done()
	var d net.Dialer
	return d.DialContext(ctx, "unix", filepath.Join(short, sockName))
}

// peerListener accepts only processes of the same user, or of root.
type peerListener struct{ net.Listener }

// Accept returns the next connection of a process that may speak to the keeper.
func (l peerListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if uid, err := peerUID(c); err == nil && (uid == os.Getuid() || uid == 0) {
			return c, nil
		}
		_ = c.Close()
	}
}
