package fleet

import (
	"context"
	"runtime"
	"sync"
	"time"

	"blossomtune/internal/flower/wire"
)

// Beyond its capacity the gateway answers 503, which each SuperNode retries: flower-supernode after a random part of 1, 2, 4 and up to 20 s
// (flwr 1.42, supercore/retry; it ignores Retry-After), an agent after what Retry-After says. Heartbeats have places of their own, and
// go first: a SuperNode that is taken for offline loses its work.

// Capacities of one federation's SuperLink: calls at work, and objects being sent to it.
const (
	flowerCalls    = 24 // it does one thing at a time, and answers from a pool of 40 threads
	flowerReserve  = 8
	builtinCalls   = 512 // it commits what comes together
	builtinReserve = 64
	streamPlaces   = 256
	streamsEach    = 16
	mostWaiting    = 20_000 // calls hold what is small of their bodies
)

// How long a call waits for its turn. A heartbeat is given up after 5 s, other calls after 30 s.
const (
	beatWait = 3 * time.Second
	callWait = 10 * time.Second
)

var (
	errBusy     = again("The federation's SuperLink has too much to do now.", 5)
	errCrowded  = again("The server has too many requests now.", 5)
	errChecking = again("The server has too many signatures to check now.", 5)
)

// lanes are those of one federation's SuperLink.
type lanes struct{ calls, streams lane[*node] }

type laneKey struct {
	federationID int64
	builtin      bool
}

// lanesOf keeps the lanes of all federations.
type lanesOf struct {
	mu    sync.Mutex
	byKey map[laneKey]*lanes
}

func (a *lanesOf) find(k laneKey) *lanes {
	a.mu.Lock()
	defer a.mu.Unlock()
	ls := a.byKey[k]
	if ls == nil {
		ls = &lanes{calls: lane[*node]{places: flowerCalls, reserve: flowerReserve, most: mostWaiting},
			streams: lane[*node]{places: streamPlaces, each: streamsEach, most: mostWaiting}}
		if k.builtin {
			ls.calls.places, ls.calls.reserve = builtinCalls, builtinReserve
		}
		if a.byKey == nil {
			a.byKey = map[laneKey]*lanes{}
		}
		a.byKey[k] = ls
	}
	return ls
}

// turn waits for the call's turn at its SuperLink and returns what ends it.
func (c *call) turn(ctx context.Context) (leave func(), err error) {
	ls := c.g.lanes.find(laneKey{c.key.FederationID, c.up.builtin != nil})
	lane, urgent, wait := &ls.calls, c.meth.sign == signHeartbeat, callWait
	if urgent {
		wait = beatWait
	}
	if c.whole == nil {
		lane = &ls.streams
	}
	if leave = lane.enter(ctx, c.node, urgent, wait); leave == nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, errBusy
	}
	return leave, nil
}

// crowded counts the call in and reports whether there are too many.
func (c *call) crowded() (leave func(), many bool) {
	n, most := c.g.inside.Add(1), int64(c.g.o.Calls)
	if c.meth.sign != signHeartbeat {
		most -= most / 10
	}
	return func() { c.g.inside.Add(-1) }, n > most
}

// newChecks returns the lane of signature checks, which take processor time and nothing else. Each client address has its turn.
func newChecks() lane[string] {
	cores := runtime.GOMAXPROCS(0)
	return lane[string]{places: 2 * cores, reserve: cores, most: mostWaiting}
}

// identify finds out who signed the request.
func (c *call) identify(claim wire.Claim, ip string) (*wire.Signer, error) {
	return c.g.signers.verify(c.r, claim, func(check func() error) error {
		urgent, wait := c.meth.sign == signHeartbeat, callWait
		if urgent {
			wait = beatWait
		}
		leave := c.g.checks.enter(c.r.Context(), ip, urgent, wait)
		if leave == nil {
			return errChecking
		}
		defer leave()
		return check()
	})
}
