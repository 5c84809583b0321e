package main

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"

	"blossomtune/internal/keeper/contain"
)

var initTrace = regexp.MustCompile(`(?m)^init (\S+) @\S+ ms, \S+ ms clock, (\d+) bytes, \d+ allocs$`)

const (
	least = 20 // packages; of the standard library alone there are more
	most  = 700_000
)

// A process that contains an app is this program, up to the initialization of package contain. What other packages do before that is done
// twice for each message of a ClientApp.
func TestLittleIsInitializedBeforeContainment(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Args = []string{contain.Name, "99"} // no such descriptor: it ends at once
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatalf("without an order it ended well: %s", out)
	}
	packages := initTrace.FindAllSubmatch(out, -1)
	if len(packages) < least {
		t.Fatalf("only %d packages were traced: %s", len(packages), out)
	}
	sum, worst := 0, ""
	largest := 0
	for _, p := range packages {
		n, _ := strconv.Atoi(string(p[2]))
		if sum += n; n > largest {
			largest, worst = n, string(p[1])
		}
	}
	if sum > most {
		t.Errorf("%d packages allocate %d bytes, more than %d; most of it %s: %d", len(packages), sum, most, worst, largest)
	}
}
