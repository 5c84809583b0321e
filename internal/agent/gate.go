package agent

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"sync"

	"blossomtune/internal/agent/approval"
	"blossomtune/internal/client"
	"blossomtune/internal/domain"
	"blossomtune/internal/flower/apphost"
	"blossomtune/internal/flower/supernode"
	"blossomtune/internal/flower/wire"
)

// gatekeeper lets app versions run that this machine's owner allows, and keeps the others for the owner to decide about.
type gatekeeper struct {
	n *node
	approval.Gate
	shelf approval.Shelf

	mu   sync.Mutex
	told map[string]string // what the server was told of a version
}

func (h home) shelf() approval.Shelf { return approval.Shelf{Dir: h.file("apps")} }

// rulesFiles are where the owner's rules may be: for this federation, and for all below ~/.blossomtune.
func (h home) rulesFiles() []string {
	files := []string{h.file(approval.RulesFile)}
	if base := filepath.Dir(string(h)); strings.HasSuffix(base, ".blossomtune") {
		files = append(files, filepath.Join(base, approval.RulesFile))
	}
	return files
}

// approvals opens the owner's decisions about a federation's apps.
func (h home) approvals(st *state) (*approval.Store, error) {
	key, err := loadKey(h.keyFile(st.TokenID))
	if err != nil {
		return nil, err
	}
	return approval.New(string(h), st.host(), st.Slug, key)
}

func (n *node) openGate() (*gatekeeper, error) {
	store, err := n.h.approvals(n.st)
	if err != nil {
		return nil, err
	}
	g := &gatekeeper{n: n, Gate: approval.Gate{Store: store, Rules: n.h.rulesFiles(), Policy: n.st.policy()}, shelf: n.h.shelf(),
		told: map[string]string{}}
	policy, err := g.InForce()
	switch {
	case err != nil:
		n.j.say("No app runs until this is corrected: %v", err)
	case policy != approval.Any:
		n.j.say("App versions run here after you approve them: blossomtune apps lists what waits.")
	}
	return g, nil
}

// check decides whether the app of a task may run. One that may not is kept for the owner, and its message is answered at once.
func (g *gatekeeper) check(t *supernode.Task) error {
	v, err := g.allow(t.FAB, t.FABHash, t.RunID)
	if err == nil {
		return nil
	}
	return g.refused(t, v, err)
}

func (g *gatekeeper) allow(fab []byte, hash string, run uint64) (approval.Version, error) {
	who := approval.Run{Federation: g.n.rec.federation, LaunchedBy: g.n.runs.find(run).launchedBy}
	return g.Allow(fab, hash, g.n.deps, who, g.n.j.o.Clock(), g.n.rec.ledger.LastAt())
}

func (g *gatekeeper) refused(t *supernode.Task, v approval.Version, err error) error {
	r, ok := approval.IsRefusal(err)
	if !ok {
		g.n.j.say("Run %d: the approvals cannot be read, so its app does not run: %v", t.RunID, err)
		return &supernode.AppError{Code: wire.ErrorLoadClientApp,
			Reason: "The participant's SuperNode could not read the approvals, so the app did not run."}
	}
	g.n.j.say("Run %d: its app does not run here. %s", t.RunID, r.Error())
	if r.Rule != approval.RuleRejected && r.Rule != approval.RuleHash {
		if _, err := g.shelf.Add(approval.Seen{Version: v, Rule: r.Rule, At: g.n.j.o.Clock().UTC()}, t.FAB); err != nil {
			g.n.j.say("The app version cannot be kept for you to look at: %v", err)
		}
	}
	return &supernode.AppError{Code: wire.ErrorLoadClientApp, Reason: r.Reason()}
}

// packages checks what is installed for the app of a task.
func (g *gatekeeper) packages(t *supernode.Task, ready *apphost.Ready) error {
	if p, err := g.InForce(); err == nil && p == approval.Any || !ready.Built {
		return nil
	}
	sum, err := approval.PackagesOf(ready.Env.Dir)
	if err == nil {
		err = g.Packages(t.FABHash, sum)
	}
	if err == nil {
		return nil
	}
	v, _ := approval.Read(t.FAB, g.n.deps) // it was read before
	return g.refused(t, v, err)
}

const mostStates = 50 // in one call

// tell reports what the owner has decided, and what waits, where the server does not know it. It tells of nothing that the server has not
// named itself.
func (g *gatekeeper) tell(ctx context.Context) {
	news := g.news()
	if len(news) == 0 {
		return
	}
	news = news[:min(len(news), mostStates)]
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	err := g.n.j.srv.call(ctx, g.n.conn.client(), http.MethodPost, "/agent/apps", client.AgentApps{Apps: news}, g.n.signed, nil)
	if code := domain.CodeOf(err); err != nil && code != domain.NotFound && code != domain.Invalid { // those will not be better next time
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, a := range news {
		g.told[a.Hash] = a.State + a.Rule
	}
}

func (g *gatekeeper) news() (out []client.AppDecision) {
	g.mu.Lock()
	defer g.mu.Unlock()
	add := func(a client.AppDecision) {
		if g.told[a.Hash] != a.State+a.Rule {
			out = append(out, a)
		}
	}
	waiting, err := g.shelf.Waiting()
	if err != nil {
		return nil
	}
	waits := map[string]bool{}
	for _, v := range waiting {
		waits[v.FAB] = true
		add(client.AppDecision{Hash: v.FAB, State: string(approval.Waiting), Rule: string(v.Rule)})
	}
	decisions, err := g.Store.Decisions()
	if err != nil {
		return out
	}
	for _, d := range decisions {
		if !waits[d.FAB] {
			add(client.AppDecision{Hash: d.FAB, State: string(d.State)})
		}
	}
	return out
}
