package launcher

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"blossomtune/internal/domain"
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

const memoryLook = time.Second

// watchMemory ends the process when its processes hold more memory than the order allows, and notes how much it held. It returns
// when the process has ended. A limit on the address space would not do: torch reserves far more than it uses.
func (j *job) watchMemory(child *keeper.Child) {
	limit := int64(j.order.Settings.MemoryMB) * 1_000_000
	if limit <= 0 {
		return
	}
	tick := time.NewTicker(memoryLook)
	defer tick.Stop()
	for {
		select {
		case <-child.Done():
			return
		case <-tick.C:
		}
		held, known := child.Memory()
		if !known || held <= limit {
			continue
		}
		j.l.Log.Warn("a ServerApp holds more memory than its run may", "engine_run", j.order.EngineRunID, "bytes", held, "limit", limit)
		j.l.update(j.order.EngineRunID, func(t *Task) { t.OverMemory, t.Killed = held, domain.KilledMemory })
		child.Stop(0)
		return
	}
}
