package keeper

import (
	"os"
	"strconv"
	"strings"
)

// statFields returns the fields of /proc/PID/stat after the command, which may itself contain spaces and parentheses:
// field 0 is the state, 2 the process group, 3 the session, 19 the start.
func statFields(pid int) []string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return nil
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(f) < 20 {
		return nil
	}
	return f
}

func startOf(pid int) (string, bool) {
	f := statFields(pid)
	if f == nil || f[0] == "Z" || f[0] == "X" {
		return "", false
	}
	return f[19], true
}
