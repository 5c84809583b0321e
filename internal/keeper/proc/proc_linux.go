// Package proc reads processes from /proc.
package proc

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The fields of a [Stat] that are used here, as proc(5) names them.
const (
	State = iota
	Parent
	Group
	Session
	Start    = 19 // in clock ticks since the boot
	Resident = 21 // in pages
)

// Stat returns the fields of /proc/PID/stat after the command, which may itself contain spaces and parentheses; nil when there is no
// such process. It always has the fields up to Resident.
func Stat(pid int) []string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return nil
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(f) <= Resident {
		return nil
	}
	return f
}

// All returns the ids of all processes.
func All() []int {
	d, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	return numbers(names)
}

// Children returns the ids of this process's children, those included that have ended and have not been waited for.
func Children() []int {
	var out []int
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, path := range lists {
		b, _ := os.ReadFile(path) // a thread that ended has left its children to another
		out = append(out, numbers(strings.Fields(string(b)))...)
	}
	if len(lists) == 0 { // a kernel without CONFIG_PROC_CHILDREN
		own := strconv.Itoa(os.Getpid())
		out = slices.DeleteFunc(All(), func(pid int) bool { f := Stat(pid); return f == nil || f[Parent] != own })
	}
	return out
}

func numbers(names []string) []int {
	var out []int
	for _, n := range names {
		if pid, err := strconv.Atoi(n); err == nil {
			out = append(out, pid)
		}
	}
	return out
}

// Below returns the process that descends from root and has the id pid in the innermost of the PID namespaces there, by the id that this
// process knows it by; 0 when there is none. Without namespaces the ids are the same.
func Below(root, pid int) int {
	found, deepest := 0, 0
	for todo := childrenOf(root); len(todo) > 0; todo = todo[1:] {
		ids := namespaceIDs(todo[0])
		if len(ids) > deepest {
			found, deepest = 0, len(ids)
		}
		if len(ids) == deepest && deepest > 0 && ids[deepest-1] == pid {
			found = todo[0]
		}
		todo = append(todo, childrenOf(todo[0])...)
	}
	return found
}

func childrenOf(pid int) []int {
	lists, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children") // the pattern is sound
	var out []int
	for _, path := range lists {
		b, _ := os.ReadFile(path) // a thread that ended has left its children to another
		out = append(out, numbers(strings.Fields(string(b)))...)
	}
	return out
}

// namespaceIDs returns a process's ids, from that in the namespace of /proc to that in its own.
func namespaceIDs(pid int) []int {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(b)) {
		if ids, ok := strings.CutPrefix(line, "NSpid:"); ok {
			return numbers(strings.Fields(ids))
		}
	}
	return nil
}
