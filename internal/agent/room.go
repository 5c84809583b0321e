package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/apphost"
	"blossomtune/internal/keeper/contain"
)

// keptRooms is how many app versions' folders stay on this machine: each may hold models that its app downloaded.
const keptRooms = 20

// roomName is how many digits of an app version's hash name its room. Python's pools make sockets in TMPDIR, whose path has at most 107
// bytes.
const roomName = 20

func (h home) rooms() string { return h.file("rooms") }

// room returns the sandbox of an app version; nil when the owner has turned containment off. Another version of the same app has another
// room: what one leaves, such as a poisoned model cache, the next does not read.
func (n *node) room(fab []byte) (*apphost.Room, error) {
	if n.j.o.Uncontained {
		return nil, nil
	}
	sum := sha256.Sum256(fab)
	name := hex.EncodeToString(sum[:])
	dir := filepath.Join(n.h.rooms(), name[:roomName])
	_ = os.Rename(filepath.Join(n.h.rooms(), name), dir) // as earlier versions named it
	r := &apphost.Room{Dir: dir, Read: n.j.o.Data, Port: int(n.port.Load()), Hub: true, Disk: n.j.o.AppLimits.Disk, UID: n.appUID(sum)}
	if err := r.Make(); err != nil {
		return nil, err
	}
	now := n.j.o.Clock()
	_ = os.Chtimes(r.Dir, now, now)
	return r, nil
}

// trimRooms removes the folders of the app versions that ran longest ago.
func (h home) trimRooms() {
	entries, err := os.ReadDir(h.rooms())
	if err != nil {
		return
	}
	used := func(e os.DirEntry) time.Time {
		info, err := e.Info()
		if err != nil {
			return time.Time{}
		}
		return info.ModTime()
	}
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return used(b).Compare(used(a)) })
	for _, e := range entries[min(keptRooms, len(entries)):] {
		_ = os.RemoveAll(filepath.Join(h.rooms(), e.Name()))
	}
}

// checkData makes the folders of --data absolute. One that holds this machine's key, or does not exist, is refused.
func (j *joining) checkData(h home) error {
	for i, dir := range j.o.Data {
		abs, err := filepath.Abs(dir)
		if err == nil {
			abs, err = filepath.EvalSymlinks(abs)
		}
		if err != nil {
			return domain.Errorf(domain.Invalid, "The data folder %s cannot be opened.", dir).Fix("Name a folder that exists with --data.").
				At("data").Because(err)
		}
		key, err := filepath.EvalSymlinks(string(h))
		if err != nil {
			return err
		}
		if key == abs || strings.HasPrefix(key, strings.TrimSuffix(abs, "/")+"/") {
			return domain.Errorf(domain.Invalid, "The data folder %s holds this machine's key (in %s).", dir, h).
				Fix("Name the folder with the data itself: apps can read all of it.").At("data")
		}
		j.o.Data[i] = abs
	}
	return nil
}

// choosePort settles the port on which ClientApps reach the SuperNode, so that they can be contained before it listens.
func (n *node) choosePort() error {
	if n.j.o.NodePort != 0 {
		n.port.Store(int32(n.j.o.NodePort))
		return nil
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is closed at once
	if err != nil {
		return domain.Errorf(domain.Unavailable, "This machine has no free port on 127.0.0.1 for the SuperNode.").Because(err)
	}
	n.port.Store(int32(ln.Addr().(*net.TCPAddr).Port))
	return ln.Close()
}

// containment names what keeps ClientApps from the rest of this machine, as the server is told.
func (o Options) containment() string {
	if o.Uncontained {
		return string(domain.ContainmentOff)
	}
	return contain.Check().Level()
}

// sayContainment tells the owner what ClientApps can do here.
func (n *node) sayContainment() {
	switch c := domain.Containment(n.j.o.containment()); {
	case c == domain.ContainmentOff:
		n.j.say("Apps run without a sandbox, as you said with --contain=off: they can do whatever you can.")
	case !c.Strong():
		n.j.say("Apps cannot be kept in a sandbox on this machine: they can do whatever you can. %s", contain.Check().Reason)
	case len(n.j.o.Data) == 0:
		n.j.say("Apps run in a sandbox: they see none of your files. Name folders that they may read with --data.")
	default:
		n.j.say("Apps run in a sandbox: of your files they see %s, which they cannot change.", strings.Join(n.j.o.Data, ", "))
	}
	n.sayAppUsers()
}
