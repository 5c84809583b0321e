package domain

import (
	"strconv"
	"strings"
)

// OldestFlwr is the oldest release of Flower whose SuperNodes can take part: since then they speak HTTP.
const OldestFlwr = "1.40"

// InstallFlwr is the command that installs a release of Flower like the given one.
func InstallFlwr(version string) string { return "pip install 'flwr==" + minorOf(version) + ".*'" }

// TooOld reports whether the SuperNode came with a Flower that cannot take part, and was turned away.
func (s NodeSeen) TooOld() bool { return s.Flwr != "" && less(s.Flwr, OldestFlwr) }

// trainsWith reports whether SuperNodes of a release take part in runs of a SuperLink of another: the older ones since [OldestFlwr] do
// (an end-to-end test has them train together); what a newer one asks of a SuperLink nobody knows.
func trainsWith(node, superLink string) bool {
	return !less(node, OldestFlwr) && !less(superLink, minorOf(node))
}

func neededFlwr(superLink string) string {
	if ours := minorOf(superLink); ours != OldestFlwr {
		return OldestFlwr + " to " + ours
	}
	return OldestFlwr
}

// minorOf is the first two numbers of a version.
func minorOf(v string) string {
	parts := strings.SplitN(v, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// less compares two versions by their first two numbers. What is no version is less than any.
func less(a, b string) bool {
	number := func(v string) int {
		major, minor, _ := strings.Cut(minorOf(v), ".")
		x, errX := strconv.Atoi(major)
		y, errY := strconv.Atoi(minor)
		if errX != nil || errY != nil {
			return -1
		}
		return x*10000 + y
	}
	return number(a) < number(b)
}
