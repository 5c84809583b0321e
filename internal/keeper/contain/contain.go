// Package contain starts a program in a sandbox: it sees the files that it is given and nothing else, reaches the TCP ports that it is
// given, and cannot touch other processes.
//
// On Linux a process of our own binary (like the reaper of package keeper) stands between the reaper and the program. It takes away all
// capabilities, sets no_new_privs and resource limits, and applies Landlock (files, TCP, signals, abstract sockets) and a seccomp filter
// for what Landlock leaves open. That is the floor. Where the kernel lets ordinary users make namespaces, the program also gets a file
// system of its own that holds only what the policy names, its own /proc, /tmp and /dev/shm, and its own process ids. Then it cannot even
// name what is outside, and all of its processes end with its first one.
//
// The policy travels in an anonymous file, never in arguments or the environment.
package contain

// Name is the argv[0] by which our binary knows that it is to contain a program.
const Name = "blossomtune-contain"

// Policy says what a program may use, besides the system's programs and libraries, which it can always read.
type Policy struct {
	Read    []string `json:"read,omitempty"`    // files and folders that it can read and execute; missing ones are skipped
	Write   []string `json:"write,omitempty"`   // folders that it can also change; they must exist
	Connect []int    `json:"connect,omitempty"` // TCP ports that it can connect to, on any host
	// those ports are on this machine's 127.0.0.1 only: elsewhere there is no network. Needs namespaces
	Local bool `json:"local,omitempty"`
	UDP   bool `json:"udp,omitempty"` // it can send datagrams, which name resolution needs

	FileSize int64 `json:"file_size,omitempty"` // most bytes of a file that the program writes; 0: no limit

	// Lend are folders that the program can read as if they were its user's own: what belongs to a folder's owner belongs to the policy's
	// user there. Without a UID they are like those of Read. With one they need namespaces, see [CanLend].
	Lend []string `json:"lend,omitempty"`
	// LendWrite are folders that it can also change. What it makes there belongs to the folder's owner.
	LendWrite []string `json:"lend_write,omitempty"`

	UID int `json:"uid,omitempty"` // the program runs as this user and the group of the same number; 0: as this process; see [CanRunAs]

	NoNamespaces bool `json:"no_namespaces,omitempty"` // the floor only
}

// Report says what this system can put in force.
type Report struct {
	System     string `json:"system"`           // GOOS
	Landlock   int    `json:"landlock"`         // the kernel's ABI version; 0: none
	Seccomp    bool   `json:"seccomp"`          // system calls can be filtered
	Namespaces bool   `json:"namespaces"`       // programs get a file system and process ids of their own
	Users      bool   `json:"users"`            // programs can run as other users: this process has the rights of root
	Reason     string `json:"reason,omitempty"` // why namespaces, or containment at all, are missing
}

// MinLandlock is the least ABI version of Landlock that restricts what the floor needs: files and TCP (Linux 6.7). Signals to other
// processes need ABI 6 (Linux 6.12), or namespaces.
const (
	MinLandlock   = 4
	scopeLandlock = 6
)

// Floor reports whether apps that nobody has reviewed can be contained here.
func (r Report) Floor() bool {
	return r.Seccomp && r.Landlock >= MinLandlock && (r.Landlock >= scopeLandlock || r.Namespaces)
}

// Level names what is in force: "namespaces", "floor", "partial" or "none".
func (r Report) Level() string {
	switch {
	case r.Floor() && r.Namespaces:
		return "namespaces"
	case r.Floor():
		return "floor"
	case r.Seccomp || r.Landlock > 0:
		return "partial"
	}
	return "none"
}
