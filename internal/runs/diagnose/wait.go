package diagnose

import (
	"fmt"
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs/applog"
)

// Wait is what a run that has not ended waits for.
type Wait struct {
	What  string    // "waits for 2 SuperNodes, 1 online"; "" where it waits for nothing that is worth a word
	Since time.Time // when that began; zero where it has no beginning
	Helps string    // whether patience helps, and what else does
	Late  bool      // it will not come right by itself, or takes longer than it should
}

const (
	quietFor  = 10 * time.Second // an exchange that is out for less is a round like any other
	silentFor = 30 * time.Second // the same of a ServerApp that says nothing
	lateAfter = 10 * time.Minute // from then on nothing is ordinary any more
	lateLeast = time.Minute      // nobody is called slow before
	lateTimes = 3                // as many times as long as the others took
)

// Situation is what a run's waiting and its limits are judged by. [Situation.Complete] fills Since and RoundBegan.
type Situation struct {
	Run   domain.Run
	Fed   domain.Federation
	Link  domain.SuperLink
	Keys  []domain.NodeKey  // of the federation, those that are not revoked
	Ahead []domain.Run      // of a queued run: what goes first
	Asked []domain.Exchange // in the newest round
	Doing applog.Doing
	Needs *Needs    // what its app asks of the number of SuperNodes; nil: not known
	Now   time.Time // in UTC

	Since      time.Time // the last time it made progress
	RoundBegan time.Time // when the newest round's first message was sent; zero before there is one
}

// Complete works out when the run last made progress, from what was asked in the newest round. Before began no process of this server
// watched it.
func (x Situation) Complete(began time.Time) Situation {
	var a domain.RoundActivity
	for _, e := range x.Asked {
		a.Last = newest(a.Last, e.AskedAt, e.RepliedAt)
		if !e.AskedAt.IsZero() && (a.Began.IsZero() || e.AskedAt.Before(a.Began)) {
			a.Began = e.AskedAt
		}
	}
	return x.Active(began, a)
}

// Active is [Situation.Complete] for a caller that has read when something happened in the newest round, and not the exchanges. It then
// knows whether a limit is passed ([Situation.OverLimit]), and not who is waited for.
func (x Situation) Active(began time.Time, a domain.RoundActivity) Situation {
	x.Since = newest(x.Run.RunningAt, x.Run.ProgressAt, x.Doing.Progress, x.Link.Since, began, a.Last)
	x.RoundBegan = a.Began
	return x
}

func newest(times ...time.Time) (out time.Time) {
	for _, t := range times {
		if t.After(out) {
			out = t
		}
	}
	return out
}

// Wait says what the run waits for, and since when: nothing that stands still may just say that it runs.
func (x Situation) Wait() Wait {
	switch x.Run.State {
	case domain.Queued:
		return x.queued()
	case domain.Starting:
		return x.starting()
	}
	return x.running()
}

func (x Situation) queued() Wait {
	w := Wait{Since: x.Run.CreatedAt, Helps: "It starts automatically."}
	switch {
	case !x.Run.Due(x.Now):
		return Wait{What: "starts " + moment(x.Run.NotBefore), Helps: w.Helps}
	case len(x.Ahead) == 1:
		w.What = "waits for " + x.Ahead[0].Name
	case len(x.Ahead) > 1:
		w.What = fmt.Sprintf("waits for %d runs ahead", len(x.Ahead))
	case x.Link.Leaving:
		w.What, w.Helps = forRestart, restartHelps
	case x.Fed.EngineIdle:
		w.What = "the SuperLink starts for it"
	case x.Link.State == domain.SuperLinkUp:
		w.What = "starts in a moment"
	default:
		return x.withoutLink("It starts automatically when the SuperLink is up.")
	}
	return w
}

// withoutLink is the waiting of a run whose SuperLink is not up.
func (x Situation) withoutLink(helps string) Wait {
	w := Wait{What: "waits for the SuperLink, which is " + string(x.Link.State), Since: x.Link.Since, Helps: helps}
	switch x.Link.State {
	case domain.SuperLinkStopped, domain.SuperLinkFailed:
		w.Late, w.Helps = true, strings.TrimSpace(x.Link.Reason+" A manager starts it on the federation's page.")
	case domain.SuperLinkUnreachable:
		w.Late = true
	}
	return w
}

const (
	forRestart   = "waits for the engine's restart"
	restartHelps = "Another version of this server started the engine. It restarts automatically when its current runs have ended; then this run starts."
)

const goesOn = "It restarts automatically, and the run continues."

func (x Situation) starting() Wait {
	w := Wait{Since: x.Run.StartingAt, Helps: "It takes some seconds."}
	switch {
	case x.Link.State != domain.SuperLinkUp:
		return x.withoutLink(goesOn)
	case x.Link.Leaving:
		w.What, w.Helps = "waits for the ServerApp's first sign of life, or for the engine's restart", restartHelps
	case x.Run.EngineRunID == 0:
		w.What = "waits for the SuperLink to take it"
	case x.Doing.Installing:
		return x.installing()
	default:
		w.What = "waits for the ServerApp's first sign of life"
		if l := x.Run.Settings.FirstHeartbeat; l > 0 {
			w.Helps += " Without one it ends as failed after " + domain.Span(l) + "."
		}
		w.Late = x.Now.Sub(x.Run.StartingAt) > lateLeast
	}
	return w
}

func (x Situation) installing() Wait {
	return Wait{What: "installs the app's packages", Since: x.Since, Helps: "Large ones take some minutes."}
}

func (x Situation) running() Wait {
	out := x.outstanding()
	few, waiting := x.missing()
	switch {
	case x.Link.State != domain.SuperLinkUp:
		return x.withoutLink(goesOn)
	case waiting:
		return x.forNodes(few)
	case x.Doing.Installing:
		return x.installing()
	case len(out) > 0:
		return x.forReplies(out)
	case x.Now.Sub(x.Since) < silentFor:
		return Wait{}
	}
	w := Wait{What: "nothing asked, answered or logged", Since: x.Since, Late: x.Now.Sub(x.Since) > lateAfter,
		Helps: "The ServerApp may be computing; the end of its log says what it did last." + x.ends()}
	if x.online() == 0 {
		w.What, w.Late = "waits for a SuperNode, none online", true
		w.Helps = "It continues automatically when a SuperNode is online." + x.ends()
	}
	return w
}

// ends says when patience ends.
func (x Situation) ends() string {
	if l := x.Run.Settings.NoProgress; l > 0 {
		return fmt.Sprintf(" It ends as failed at %s if nothing changes.", clock(x.Since.Add(l)))
	}
	return ""
}

func (x Situation) online() (n int) {
	for _, k := range x.Keys {
		if there(k) {
			n++
		}
	}
	return n
}

func there(k domain.NodeKey) bool { return k.Seen.Online && k.SuspendedAt.IsZero() }

// missing is the SuperNodes that the ServerApp waits for, as it says or, of the older API, as its source does; ok is false where it
// waits for none.
func (x Situation) missing() (n applog.NodesWait, ok bool) {
	if x.Doing.Nodes.Needed > 0 {
		return x.Doing.Nodes, true
	}
	if !x.Doing.Choosing || x.Needs == nil || !x.Needs.least.known || x.Now.Sub(x.Since) < quietFor || len(x.outstanding()) > 0 {
		return n, false
	}
	n = applog.NodesWait{Needed: int(x.Needs.least.value), Online: x.online(), Since: x.Since}
	return n, n.Online < n.Needed
}

func (x Situation) forNodes(n applog.NodesWait) Wait {
	w := Wait{What: fmt.Sprintf("waits for %s, %s", count(n.Needed, "SuperNode"), onlineWords(n.Online)), Since: n.Since, Late: true,
		Helps: "It continues automatically when they are online."}
	if w.Since.IsZero() {
		w.Since = x.Since
	}
	off := x.offline()
	switch {
	case len(x.Keys) < n.Needed:
		w.Helps = fmt.Sprintf("This federation has %s: approve more people, or ask for fewer in the run config.", count(len(x.Keys), "SuperNode"))
	case len(off) > 0:
		w.Helps += fmt.Sprintf(" Remind who has %s, or stop the run.", Partitions(off))
	}
	if x.Doing.Secure && x.Needs != nil {
		w.Helps += " " + x.Needs.secureWords(n.Needed)
	}
	w.Helps += x.ends()
	return w
}

func (x Situation) offline() (off []int) {
	for _, k := range x.Keys {
		if !there(k) {
			off = append(off, k.Partition)
		}
	}
	return off
}

// keyOf returns a function that finds the key of a node.
func (x Situation) keyOf() func(nodeID uint64) (domain.NodeKey, bool) {
	at := make(map[uint64]int, len(x.Keys))
	for i, k := range x.Keys {
		if _, known := at[k.NodeID]; !known {
			at[k.NodeID] = i
		}
	}
	return func(nodeID uint64) (k domain.NodeKey, ok bool) {
		i, ok := at[nodeID]
		if ok {
			k = x.Keys[i]
		}
		return k, ok
	}
}
