package run

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"
	"blossomtune/internal/runs"
	"blossomtune/internal/web/ui"
)

// failedAt names the SuperNode of a failure.
func (d runDetail) failedAt(f runs.AppFailure) string {
	if label := d.labels[strconv.FormatUint(f.NodeID, 10)]; label != "" {
		return domain.FirstUpper(label)
	}
	return "A SuperNode that is gone"
}

// failTimes says how often, and in which rounds where that is known.
func failTimes(f runs.AppFailure) string {
	rounds := slices.Compact(slices.Clone(f.Rounds))
	switch {
	case len(rounds) == 1:
		return "in round " + ui.Itoa(rounds[0])
	case len(rounds) > 1:
		return "in " + ui.Itoa(len(rounds)) + " rounds, first " + ui.Itoa(rounds[0])
	case f.Times > 1:
		return ui.Itoa(f.Times) + " times"
	}
	return ""
}

var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

func evidenceText(lines []logfile.Line) string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = colours.ReplaceAllString(l.Text, "")
	}
	return strings.Join(out, "\n")
}
