package launcher

import (
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/apphost"
	"blossomtune/internal/keeper"
)

// threadPools are the variables by which the numeric libraries learn how many threads to use.
var threadPools = []string{"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"}

// settingsEnv is what a run's settings add to its ServerApp's environment. What the run names itself comes last and wins.
func settingsEnv(s domain.RunSettings) []string {
	var env []string
	if s.LogLevel != "" {
		env = append(env, "FLWR_LOG_LEVEL="+s.LogLevel)
	}
	if s.PackageIndex != "" {
		env = append(env, "UV_DEFAULT_INDEX="+s.PackageIndex, "UV_INDEX_URL="+s.PackageIndex, "PIP_INDEX_URL="+s.PackageIndex)
	}
	if s.CPUs > 0 {
		for _, name := range threadPools {
			env = append(env, name+"="+strconv.Itoa(s.CPUs))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Environment)) {
		env = append(env, name+"="+s.Environment[name])
	}
	return env
}

// chosenCPUs picks as many of the allowed CPUs as an order says, beginning at another one for each run, so that runs at the same
// time share as few as possible; nil where all may be used.
func chosenCPUs(o Order, allowed []int) []int {
	n := o.Settings.CPUs
	if n <= 0 || n >= len(allowed) {
		return nil
	}
	first := int(o.EngineRunID % uint64(len(allowed)))
	out := make([]int, n)
	for i := range out {
		out[i] = allowed[(first+i)%len(allowed)]
	}
	return out
}

// How often a ServerApp is measured: a program can take gigabytes of memory in a second. Counting many files takes time, of which the
// pauses take diskShare times as much.
const (
	memoryLook = 250 * time.Millisecond
	diskLook   = time.Second
	diskShare  = 20
)

// watch ends the process when its processes hold more memory, or its files take more disk, than the order allows, and notes how much that
// was. It returns when the process has ended. A limit on the address space would not do: torch reserves far more than it uses.
func (j *job) watch(child *keeper.Child) {
	var wg sync.WaitGroup
	defer wg.Wait()
	memory := int64(j.order.Settings.MemoryMB) * 1_000_000
	if memory > 0 {
		wg.Go(func() {
			j.measure(child, func() time.Duration {
				held, known := child.Memory()
				if known && held > memory {
					j.endFor(child, "memory", held, memory, func(t *Task) { t.OverMemory, t.Killed = held, domain.KilledMemory })
				}
				return memoryLook
			})
		})
	}
	if j.order.Disk > 0 {
		wg.Go(func() {
			room := j.room()
			j.measure(child, func() time.Duration {
				began := time.Now()
				taken := child.Unlinked(room.Path(apphost.WorkDir))
				taken += room.Size(j.order.Disk - taken)
				if taken > j.order.Disk {
					j.endFor(child, "disk", taken, j.order.Disk, func(t *Task) { t.OverDisk, t.Killed = taken, domain.KilledDisk })
				}
				return max(diskLook, diskShare*time.Since(began))
			})
		})
	}
}

// measure looks at a process again and again until its end. Each look returns how long to pause before the next one.
func (j *job) measure(child *keeper.Child, look func() time.Duration) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-child.Done():
			return
		case <-pause.C:
			pause.Reset(look())
		}
	}
}

// endFor ends a process that takes too much of something.
func (j *job) endFor(child *keeper.Child, what string, took, limit int64, note func(*Task)) {
	j.l.Log.Warn("a ServerApp takes more than its run may", "of", what, "engine_run", j.order.EngineRunID, "bytes", took, "limit", limit)
	j.l.update(j.order.EngineRunID, note)
	child.Stop(0)
}
