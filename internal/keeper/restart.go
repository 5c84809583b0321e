package keeper

import (
	"fmt"
	"time"
)

// Policy says when a child that died is started again.
type Policy struct {
	First        time.Duration // wait before the first restart; each further one doubles it
	Most         time.Duration // the longest wait
	HealthyAfter time.Duration // a child that was healthy this long starts the count anew
	GiveUpAfter  int           // deaths in a row after which it stays down; 0: never
}

// DefaultPolicy starts again at once after a single death, and gives up after eight in a row, which take about two minutes.
var DefaultPolicy = Policy{First: 200 * time.Millisecond, Most: 30 * time.Second, HealthyAfter: time.Minute, GiveUpAfter: 8}

// Decision is what to do about a death.
type Decision struct {
	GiveUp bool
	After  time.Duration // wait before the next start
	Cause  string        // for people
}

// Restarts is the state of a policy for one child: pure, the caller tells the times.
type Restarts struct {
	Policy
	inARow int
	Total  int
}

// Died takes note of a death. healthy is how long the child had been healthy, 0 if it never was; cause is how it ended.
func (r *Restarts) Died(healthy time.Duration, cause string) Decision {
	if r.HealthyAfter > 0 && healthy >= r.HealthyAfter {
		r.inARow = 0
	}
	r.inARow++
	r.Total++
	if r.GiveUpAfter > 0 && r.inARow >= r.GiveUpAfter {
		return Decision{GiveUp: true, Cause: fmt.Sprintf("It ended %d times in a row, the last time: %s.", r.inARow, cause)}
	}
	wait := r.First
	for range r.inARow - 1 {
		if wait *= 2; wait >= r.Most {
			wait = r.Most
			break
		}
	}
	return Decision{After: wait, Cause: "It ended: " + cause + "."}
}

// Forgive starts the count anew, as when somebody asks for a start by hand.
func (r *Restarts) Forgive() { r.inARow = 0 }
