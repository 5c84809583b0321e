package keeper

import (
	"os"
	"strconv"

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

// GroupMemory returns the bytes that the processes of a group hold in memory together, and false where that cannot be known.
func GroupMemory(group int) (int64, bool) {
	want, page := strconv.Itoa(group), int64(os.Getpagesize())
	var sum int64
	for _, pid := range pids() {
		f := statFields(pid)
		if len(f) < 22 || f[2] != want {
			continue
		}
		pages, err := strconv.ParseInt(f[21], 10, 64) // rss
		if err == nil {
			sum += pages * page
		}
	}
	return sum, true
}
