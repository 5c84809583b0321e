package agent

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"sync"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/keeper/contain"
)

// appUsers are the users that apps run as where the agent runs as root. They are found out once.
type appUsers struct {
	once sync.Once
	ids  domain.UIDRange // zero: apps run as the agent's user
	why  error           // what prevents users of their own, as a sentence
}

// appUID returns the user that an app version's processes run as; 0: the agent's own.
func (n *node) appUID(fab [sha256.Size]byte) int {
	n.users.once.Do(n.findAppUsers)
	return n.users.ids.ByHash(fab)
}

// buildUID returns the user that the installation of an app's packages runs as; 0: the agent's own.
func (n *node) buildUID() int {
	n.users.once.Do(n.findAppUsers)
	return n.users.ids.Last
}

func (n *node) findAppUsers() {
	o := n.j.o
	if o.Uncontained || o.AppUIDs == (domain.UIDRange{}) || os.Geteuid() != 0 {
		return
	}
	paths := append([]string{filepath.Join(n.h.rooms(), "x"), n.env.Bin("python"), filepath.Join(n.env.Dir, "x")},
		python.Installation(n.env.Dir)...)
	why := contain.CanRunAs(o.AppUIDs.First, paths...)
	if why == nil { // a container may have some of the range only
		why = contain.CanRunAs(o.AppUIDs.Last, paths...)
	}
	if why == nil && len(o.Data) > 0 {
		why = contain.CanLend(o.AppUIDs.First, o.Data...)
	}
	if n.users.why = why; why == nil {
		n.users.ids = o.AppUIDs
	}
}

// sayAppUsers tells an owner who runs the agent as root which users apps run as.
func (n *node) sayAppUsers() {
	n.users.once.Do(n.findAppUsers)
	switch {
	case n.users.why != nil:
		n.j.say("Apps run as root without its capabilities, not as users of their own. %s", n.users.why)
	case n.users.ids != domain.UIDRange{}:
		n.j.say("Each app version runs as a user of its own, with one of the user IDs %s.", n.users.ids)
	}
}
