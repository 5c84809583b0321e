package keeper

import (
	"os"
	"strconv"

	"blossomtune/internal/keeper/proc"

	"golang.org/x/sys/unix"
)

// AllowedCPUs lists the CPUs that this process may run on; nil where that cannot be known.
func AllowedCPUs() []int {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return nil
	}
	var out []int
	for i := 0; len(out) < set.Count(); i++ {
		if set.IsSet(i) {
			out = append(out, i)
		}
	}
	return out
}

// onCPUs runs start on a thread that may use only the given CPUs: what it forks inherits them. The caller holds its thread.
func onCPUs(cpus []int, start func() error) error {
	if len(cpus) == 0 {
		return start()
	}
	var before, during unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	for _, n := range cpus {
		during.Set(n)
	}
	if err := unix.SchedSetaffinity(0, &during); err != nil {
		return err
	}
	err := start()
	if back := unix.SchedSetaffinity(0, &before); err == nil && back != nil {
		return back
	}
	return err
}

// Memory returns the bytes that the child and all its descendants hold in memory together, and false where that cannot be known.
func (c *Child) Memory() (int64, bool) {
	type process struct{ parent, pages int }
	all := map[int]process{}
	for _, pid := range proc.All() {
		if f := proc.Stat(pid); f != nil {
			parent, _ := strconv.Atoi(f[proc.Parent])
			pages, _ := strconv.Atoi(f[proc.Resident])
			all[pid] = process{parent, pages}
		}
	}
	_, known := all[c.root]
	sum := 0
	for _, p := range all {
		up := p.parent
		for n := 0; up > 1 && up != c.root && n < len(all); n++ { // the list is not of one moment, so it might hold a cycle
			up = all[up].parent
		}
		if up == c.root {
			sum += p.pages
		}
	}
	return int64(sum) * int64(os.Getpagesize()), known
}
