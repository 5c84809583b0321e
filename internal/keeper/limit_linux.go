package keeper

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

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
	tree, known := c.tree()
	sum := 0
	for _, pages := range tree {
		sum += pages
	}
	held := int64(sum) * int64(os.Getpagesize())
	if files := memoryFiles(tree); files > 0 { // what is mapped of them is counted already
		held += max(0, files-sharedMemory(tree))
	}
	return held, known
}

// memoryFiles returns the bytes of files in memory that processes have open: only what they map of them counts as theirs.
func memoryFiles(tree map[int]int) (sum int64) {
	seen := map[uint64]bool{}
	for pid := range tree {
		found, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/fd/*") // the pattern is sound
		for _, name := range found {
			target, _ := os.Readlink(name)
			var st unix.Stat_t
			if strings.HasPrefix(target, "/memfd:") && unix.Stat(name, &st) == nil && !seen[st.Ino] {
				seen[st.Ino] = true
				sum += st.Blocks * 512
			}
		}
	}
	return sum
}

// sharedMemory returns the bytes that processes map of files in memory.
func sharedMemory(tree map[int]int) (sum int64) {
	for pid := range tree {
		text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
		_, rest, _ := strings.Cut(string(text), "\nRssShmem:")
		line, _, _ := strings.Cut(rest, "\n")
		kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(line), " kB"), 10, 64)
		sum += kb << 10
	}
	return sum
}

// Unlinked returns the bytes of disk that files take which the child and its descendants have open but which have no name any more, on the
// file system that a path is on. Processes that this one may not inspect are left out.
func (c *Child) Unlinked(path string) int64 {
	var disk unix.Stat_t
	if unix.Stat(path, &disk) != nil {
		return 0
	}
	tree, _ := c.tree()
	files := map[uint64]int64{} // by inode
	for pid := range tree {
		found, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/fd/*") // the pattern is sound
		for _, name := range found {
			var st unix.Stat_t
			if unix.Stat(name, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Nlink == 0 && st.Dev == disk.Dev {
				files[st.Ino] = st.Blocks * 512
			}
		}
	}
	sum := int64(0)
	for _, n := range files {
		sum += n
	}
	return sum
}

// tree returns the pages in memory of the child and of each of its descendants, and false where they are not known.
func (c *Child) tree() (pages map[int]int, known bool) {
	type process struct{ parent, pages int }
	all := map[int]process{}
	for _, pid := range proc.All() {
		if f := proc.Stat(pid); f != nil {
			parent, _ := strconv.Atoi(f[proc.Parent])
			pages, _ := strconv.Atoi(f[proc.Resident])
			all[pid] = process{parent, pages}
		}
	}
	_, known = all[c.root]
	pages = map[int]int{}
	for pid, p := range all {
		up := p.parent
		for n := 0; up > 1 && up != c.root && n < len(all); n++ { // the list is not of one moment, so it might hold a cycle
			up = all[up].parent
		}
		if up == c.root {
			pages[pid] = p.pages
		}
	}
	return pages, known
}
