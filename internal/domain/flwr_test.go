package domain

import (
	"strings"
	"testing"
	"time"
)

func TestWhichFlowerTakesPart(t *testing.T) {
	for _, c := range []struct {
		node, superLink string
		good            bool
		why             string
	}{
		{"1.42.0", "1.42.0", true, ""},
		{"1.42.3", "1.42.0", true, ""},
		{"1.41.0", "1.42.0", true, ""},
		{"1.40.0", "1.42.0", true, ""},
		{"", "1.42.0", true, ""}, // nothing is known
		{"1.39.0", "1.42.0", false, "flwr 1.39.0, this needs 1.40 to 1.42"},
		{"1.9.0", "1.42.0", false, "flwr 1.9.0, this needs 1.40 to 1.42"},
		{"0.99", "1.42.0", false, "flwr 0.99, this needs 1.40 to 1.42"},
		{"1.43.0", "1.42.0", false, "flwr 1.43.0, this needs 1.40 to 1.42"},
		{"2.0.0", "1.42.0", false, "flwr 2.0.0, this needs 1.40 to 1.42"},
		{"1.42.0.dev1", "1.42.0", true, ""},
		{"1", "1.42.0", false, "flwr 1, this needs 1.40 to 1.42"},
	} {
		k := NodeKey{Seen: NodeSeen{FirstAt: time.Unix(1, 0), Online: true, Flwr: c.node}}
		good, why, remedy := k.Verdict(c.superLink)
		if good != c.good || !good && (why != c.why || !strings.Contains(remedy, "pip install 'flwr==1.42.*'")) {
			t.Errorf("%s with %s: %v %q %q", c.node, c.superLink, good, why, remedy)
		}
	}
	if !(NodeSeen{Flwr: "1.39.0"}).TooOld() || (NodeSeen{Flwr: "1.43.0"}).TooOld() || (NodeSeen{}).TooOld() {
		t.Error("too old")
	}
}
