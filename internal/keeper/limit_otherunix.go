//go:build unix && !linux

package keeper

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Memory returns the bytes that the processes of the child's group hold in memory together, and false where that cannot be known.
func (c *Child) Memory() (int64, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ps", "-A", "-o", "pgid=,rss=").Output()
	if err != nil {
		return 0, false
	}
	var sum int64
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) != 2 || f[0] != strconv.Itoa(c.id.PID) {
			continue
		}
		if kb, err := strconv.ParseInt(f[1], 10, 64); err == nil {
			sum += kb << 10
		}
	}
	return sum, true
}
