package runs

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"blossomtune/internal/domain"
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

// situation is what a run's waiting and its limits are judged by.
type situation struct {
	run   domain.Run
	fed   domain.Federation
	link  domain.SuperLink
	keys  []domain.NodeKey  // of SuperNodes that are not revoked
	ahead []domain.Run      // of a queued run: what goes first
	asked []domain.Exchange // in the newest round
	doing doing
	since time.Time // the last that it came along
	now   time.Time
}

// Wait says what a run waits for, and since when: nothing that stands still may just say that it runs.
func (s *Service) Wait(ctx context.Context, run domain.Run) (Wait, error) {
	if run.State.Ended() || run.StopAsked {
		return Wait{}, nil
	}
	if w, ok := s.waits.get(run); ok {
		return w, nil
	}
	x, err := s.situation(ctx, run)
	if err != nil {
		return Wait{}, err
	}
	w := x.wait()
	if len(x.keys)+len(x.asked) >= s.waits.large {
		s.waits.put(run, w)
	}
	return w, nil
}

// largeSituation is how many SuperNodes and exchanges make a situation that costs tens of milliseconds. What it came to is told for a
// moment to all who ask.
const largeSituation = 500

const waitServes = time.Second

// waits keeps what large runs wait for, by run. The limits of a run do not go by it.
type waits struct {
	large int // [largeSituation], but in tests

	mu    sync.Mutex
	byRun map[int64]keptWait
}

func newWaits() waits { return waits{large: largeSituation, byRun: map[int64]keptWait{}} }

type keptWait struct {
	wait  Wait
	state domain.RunState
	until time.Time
}

func (w *waits) get(run domain.Run) (Wait, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k, ok := w.byRun[run.ID]
	return k.wait, ok && k.state == run.State && time.Now().Before(k.until)
}

func (w *waits) put(run domain.Run, wait Wait) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now() // not the Service's clock: it is about cost
	maps.DeleteFunc(w.byRun, func(_ int64, k keptWait) bool { return now.After(k.until) })
	w.byRun[run.ID] = keptWait{wait, run.State, now.Add(waitServes)}
}

func (x situation) wait() Wait {
	switch x.run.State {
	case domain.Queued:
		return x.queued()
	case domain.Starting:
		return x.starting()
	}
	return x.running()
}

func (s *Service) situation(ctx context.Context, run domain.Run) (x situation, err error) {
	err = s.Store.View(ctx, func(tx Tx) error {
		fed, err := tx.FederationByID(ctx, run.FederationID)
		if err != nil {
			return err
		}
		if run.State == domain.Queued {
			x = s.situationOf(run, fed, nil, nil)
			x.ahead, err = s.aheadOf(ctx, tx, run)
			return err
		}
		asked, err := tx.NewestExchanges(ctx, run.FederationID, run.EngineRunID)
		if err != nil {
			return err
		}
		keys, err := tx.NodeKeys(ctx, run.FederationID)
		x = s.situationOf(run, fed, keys, asked)
		return err
	})
	return x, err
}

// situationOf is the situation of a run in a federation, with its keys and what was asked in the newest round.
func (s *Service) situationOf(run domain.Run, fed domain.Federation, keys []domain.NodeKey, asked []domain.Exchange) situation {
	x := situation{run: run, fed: fed, asked: asked, link: s.Engine.Status(run.FederationID), doing: s.doingOf(run), now: s.Clock().UTC()}
	for _, k := range keys {
		if k.RevokedAt.IsZero() {
			x.keys = append(x.keys, k)
		}
	}
	x.since = newest(run.RunningAt, run.ProgressAt, x.doing.progress, x.link.Since, s.began)
	for _, e := range x.asked {
		x.since = newest(x.since, e.AskedAt, e.RepliedAt)
	}
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

// aheadOf lists what runs, where that leaves no room, and what is before a run in its queue and may start.
func (s *Service) aheadOf(ctx context.Context, tx Tx, run domain.Run) ([]domain.Run, error) {
	fed, err := tx.FederationByID(ctx, run.FederationID)
	if err != nil {
		return nil, err
	}
	busy, err := tx.Runs(ctx, domain.RunFilter{FederationID: run.FederationID, States: []domain.RunState{domain.Starting, domain.Running}, Limit: 100})
	if err != nil {
		return nil, err
	}
	queue, err := tx.QueuedRuns(ctx, run.FederationID)
	if err != nil {
		return nil, err
	}
	out := busy
	for _, r := range queue {
		if r.ID == run.ID {
			break
		}
		if due(r, s.Clock()) {
			out = append(out, r)
		}
	}
	if len(out) < max(fed.Parallel, 1) {
		return nil, nil
	}
	return out, nil
}

func (x situation) queued() Wait {
	w := Wait{Since: x.run.CreatedAt, Helps: "It starts automatically."}
	switch {
	case !due(x.run, x.now):
		return Wait{What: "starts " + moment(x.run.NotBefore), Helps: w.Helps}
	case len(x.ahead) == 1:
		w.What = "waits for " + x.ahead[0].Name
	case len(x.ahead) > 1:
		w.What = fmt.Sprintf("waits for %d runs ahead", len(x.ahead))
	case x.link.Leaving:
		w.What, w.Helps = forRestart, restartHelps
	case x.fed.EngineIdle:
		w.What = "the SuperLink starts for it"
	case x.link.State == domain.SuperLinkUp:
		w.What = "starts in a moment"
	default:
		return x.withoutLink("It starts automatically when the SuperLink is up.")
	}
	return w
}

// withoutLink is the waiting of a run whose SuperLink is not up.
func (x situation) withoutLink(helps string) Wait {
	w := Wait{What: "waits for the SuperLink, which is " + string(x.link.State), Since: x.link.Since, Helps: helps}
	switch x.link.State {
	case domain.SuperLinkStopped, domain.SuperLinkFailed:
		w.Late, w.Helps = true, strings.TrimSpace(x.link.Reason+" A manager starts it on the federation's page.")
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

func (x situation) starting() Wait {
	w := Wait{Since: x.run.StartingAt, Helps: "It takes some seconds."}
	switch {
	case x.link.State != domain.SuperLinkUp:
		return x.withoutLink(goesOn)
	case x.link.Leaving:
		w.What, w.Helps = "waits for the ServerApp's first sign of life, or for the engine's restart", restartHelps
	case x.run.EngineRunID == 0:
		w.What = "waits for the SuperLink to take it"
	case x.doing.installing:
		return x.installing()
	default:
		w.What = "waits for the ServerApp's first sign of life"
		if l := x.run.Settings.FirstHeartbeat; l > 0 {
			w.Helps += " Without one it ends as failed after " + domain.Span(l) + "."
		}
		w.Late = x.now.Sub(x.run.StartingAt) > lateLeast
	}
	return w
}

func (x situation) installing() Wait {
	return Wait{What: "installs the app's packages", Since: x.since, Helps: "Large ones take some minutes."}
}

func (x situation) running() Wait {
	out := x.outstanding()
	few, waiting := x.missing()
	switch {
	case x.link.State != domain.SuperLinkUp:
		return x.withoutLink(goesOn)
	case waiting:
		return x.forNodes(few)
	case x.doing.installing:
		return x.installing()
	case len(out) > 0:
		return x.forReplies(out)
	case x.now.Sub(x.since) < silentFor:
		return Wait{}
	}
	w := Wait{What: "nothing asked, answered or logged", Since: x.since, Late: x.now.Sub(x.since) > lateAfter, Helps: "The ServerApp may be computing; the end of its log says what it did last." + x.ends()}
	if x.online() == 0 {
		w.What, w.Late = "waits for a SuperNode, none online", true
		w.Helps = "It continues automatically when a SuperNode is online." + x.ends()
	}
	return w
}

// ends says when patience ends.
func (x situation) ends() string {
	if l := x.run.Settings.NoProgress; l > 0 {
		return fmt.Sprintf(" It ends as failed at %s if nothing changes.", clock(x.since.Add(l)))
	}
	return ""
}

func (x situation) online() (n int) {
	for _, k := range x.keys {
		if there(k) {
			n++
		}
	}
	return n
}

func there(k domain.NodeKey) bool { return k.Seen.Online && k.SuspendedAt.IsZero() }

// missing is the SuperNodes that the ServerApp waits for, as it says or, of the older API, as its source does; ok is false where it
// waits for none.
func (x situation) missing() (n nodesWait, ok bool) {
	if x.doing.nodes.needed > 0 {
		return x.doing.nodes, true
	}
	if !x.doing.choosing || x.doing.needs == nil || !x.doing.needs.least.known || x.now.Sub(x.since) < quietFor || len(x.outstanding()) > 0 {
		return n, false
	}
	n = nodesWait{needed: int(x.doing.needs.least.value), online: x.online(), since: x.since}
	return n, n.online < n.needed
}

func (x situation) forNodes(n nodesWait) Wait {
	w := Wait{What: fmt.Sprintf("waits for %s, %s", count(n.needed, "SuperNode"), onlineWords(n.online)), Since: n.since, Late: true, Helps: "It continues automatically when they are online."}
	if w.Since.IsZero() {
		w.Since = x.since
	}
	off := x.offline()
	switch {
	case len(x.keys) < n.needed:
		w.Helps = fmt.Sprintf("This federation has %s: approve more people, or ask for fewer in the run config.", count(len(x.keys), "SuperNode"))
	case len(off) > 0:
		w.Helps += fmt.Sprintf(" Remind who has %s, or stop the run.", partitions(off))
	}
	if x.doing.secure && x.doing.needs != nil {
		w.Helps += " " + x.doing.needs.secureWords(n.needed)
	}
	w.Helps += x.ends()
	return w
}

func (x situation) offline() (off []int) {
	for _, k := range x.keys {
		if !there(k) {
			off = append(off, k.Partition)
		}
	}
	return off
}

// keyOf returns a function that finds the key of a node.
func (x situation) keyOf() func(nodeID uint64) (domain.NodeKey, bool) {
	at := make(map[uint64]int, len(x.keys))
	for i, k := range x.keys {
		if _, known := at[k.NodeID]; !known {
			at[k.NodeID] = i
		}
	}
	return func(nodeID uint64) (k domain.NodeKey, ok bool) {
		i, ok := at[nodeID]
		if ok {
			k = x.keys[i]
		}
		return k, ok
	}
}
