package keeper

import (
	"bytes"
	"os"
	"strconv"

	"blossomtune/internal/filelock"
	"blossomtune/internal/keeper/proc"

	"golang.org/x/sys/unix"
)

// KillStrays kills every process of this user whose environment names a path in dir under name, which is how a new keeper
// finds what a killed one left behind: grandchildren do not get the parent-death signal. It returns how many there were.
// Processes whose [DirEnv] names another directory are spared: that one was moved away, and a copy took its place. It never kills
// the caller.
func KillStrays(name, dir string) int {
	want := []byte(name + "=" + dir + "/")
	here := filelock.DirID(dir)
	n := 0
	for _, pid := range proc.All() {
		if pid == os.Getpid() {
			continue
		}
		id, ok := Of(pid)
		env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
		if !ok || err != nil || !hasEntry(env, want) || elsewhere(env, here) || !id.Alive() {
			continue
		}
		if unix.Kill(pid, unix.SIGKILL) == nil {
			n++
		}
	}
	return n
}

func hasEntry(environ, want []byte) bool {
	for _, kv := range bytes.Split(environ, []byte{0}) {
		if bytes.HasPrefix(kv, want) {
			return true
		}
	}
	return false
}

// elsewhere reports whether the environment names another directory than id, which was at the same path before.
func elsewhere(environ []byte, id string) bool {
	for _, kv := range bytes.Split(environ, []byte{0}) {
		if v, ok := bytes.CutPrefix(kv, []byte(DirEnv+"=")); ok {
			return string(v) != id
		}
	}
	return false
}
