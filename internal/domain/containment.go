package domain

// Containment says how a machine keeps apps from everything that is not theirs.
type Containment string

// What can be in force, from most to least.
const (
	ContainedFully   Containment = "namespaces" // apps have a file system and process ids of their own
	ContainedByFloor Containment = "floor"      // Landlock and filtered system calls
	ContainedPartly  Containment = "partial"    // the kernel is too old for the floor
	NotContainable   Containment = "none"       // the system cannot contain apps
	ContainmentOff   Containment = "off"        // the owner has turned it off
)

// Strong reports whether apps that nobody has reviewed can run there.
func (c Containment) Strong() bool { return c == ContainedFully || c == ContainedByFloor }

// Words describes it for people; "" when it is not known, as of a plain SuperNode.
func (c Containment) Words() string {
	switch c {
	case ContainedFully:
		return "in a sandbox with files and processes of their own"
	case ContainedByFloor:
		return "in a sandbox (Landlock, seccomp)"
	case ContainedPartly:
		return "partly in a sandbox: the kernel is too old"
	case NotContainable:
		return "not in a sandbox: the system has none"
	case ContainmentOff:
		return "not in a sandbox: turned off"
	}
	return ""
}
