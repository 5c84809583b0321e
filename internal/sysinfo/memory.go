package sysinfo

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// held is how much memory a process holds, and those that it started.
type held struct {
	own, below int64 // bytes
	processes  int   // with itself
}

// memoryOf tells how much memory processes and what they started hold. Where there is no /proc, it is not known.
func memoryOf(pids []int) map[int]held {
	out := map[int]held{}
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil || len(all) == 0 {
		return out
	}
	parent, size := map[int]int{}, map[int]int64{}
	for _, dir := range all {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if of, bytes, ok := processAt(dir); ok {
			parent[pid], size[pid] = of, bytes
		}
	}
	for _, pid := range pids {
		if _, there := size[pid]; there {
			out[pid] = held{own: size[pid], processes: 1}
		}
	}
	for pid, bytes := range size {
		for up, n := parent[pid], 0; up > 1 && n < len(size); up, n = parent[up], n+1 {
			if h, asked := out[up]; asked {
				h.below, h.processes = h.below+bytes, h.processes+1
				out[up] = h
				break
			}
		}
	}
	return out
}

// processAt reads the parent and the resident memory of a process; it may have ended meanwhile.
func processAt(dir string) (parent int, bytes int64, ok bool) {
	text, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return 0, 0, false
	}
	_, rest, found := strings.Cut(string(text[strings.LastIndexByte(string(text), ')')+1:]), " ") // a name may hold anything
	fields := strings.Fields(rest)
	if !found || len(fields) < 22 {
		return 0, 0, false
	}
	parent, err = strconv.Atoi(fields[1])
	if err != nil {
		return 0, 0, false
	}
	pages, err := strconv.ParseInt(fields[21], 10, 64)
	return parent, pages * int64(os.Getpagesize()), err == nil
}
