package e2e

import (
	"cmp"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/fleetload"
	"blossomtune/internal/store"
)

// Twenty SuperNodes of the load generator do two phases with the whole server, on each engine. The ServerApp is Flower's and reads every
// array.
func TestTheServerTakesTheLoadForSuperNodes(t *testing.T) {
	for _, engine := range []string{flowerEngine, builtinEngine} {
		t.Run(engine, func(t *testing.T) { takesTheLoad(t, startWith(t, 21, freeAddr(t), engine)) })
	}
}

func takesTheLoad(t *testing.T, s *server) {
	const nodes = 20
	f := s.load(nodes, elliptic.P256(), fleetload.Options{Duration: 5 * time.Minute})
	lines := s.phases(nodes, 2)
	for i, line := range lines {
		if want := fmt.Sprintf("PHASE %d asked=%d good=%d ", i, nodes, nodes); !strings.HasPrefix(line, want) {
			t.Errorf("%q, want %q", line, want)
		}
	}
	r := f.Stop()
	for what := range r.Failures {
		if !strings.HasSuffix(what, " 503") { // which the gateway says for a busy SuperLink, and a SuperNode repeats
			t.Errorf("%d times %s", r.Failures[what], what)
		}
	}
	if len(lines) != 2 || r.Online != nodes || r.Left != 0 || r.WrongObjects != 0 || r.Replies != 2*nodes || r.Lost != 0 ||
		r.ObjectsPulled != 2*nodes*12 {
		t.Errorf("%v; %+v", lines, r)
	}
}

// BenchmarkLoad has BLOSSOMTUNE_LOAD_NODES (300) idle SuperNodes for BLOSSOMTUNE_LOAD_SECONDS (60), then lets them do
// BLOSSOMTUNE_LOAD_PHASES (0). BLOSSOMTUNE_LOAD_CURVE (p256) is that of their keys; with BLOSSOMTUNE_LOAD_AS=agents they bind their
// connections and repeat calls as agents do. With BLOSSOMTUNE_LOAD_RESTART=1 the server is killed in the last phase, when a quarter of the
// replies is there. BLOSSOMTUNE_ENGINE is the engine. It prints what each kind of process used, in seconds of processor time and megabytes.
func BenchmarkLoad(b *testing.B) {
	number := func(name, other string) int {
		n, err := strconv.Atoi(cmp.Or(os.Getenv(name), other))
		if err != nil || n < 0 {
			b.Fatalf("%s is not a number", name)
		}
		return n
	}
	nodes, idle, phases := number("BLOSSOMTUNE_LOAD_NODES", "300"), number("BLOSSOMTUNE_LOAD_SECONDS",
		"60"), number("BLOSSOMTUNE_LOAD_PHASES", "0")
	curve, ok := map[string]elliptic.Curve{"p256": elliptic.P256(), "p384": elliptic.P384()}[cmp.Or(os.Getenv("BLOSSOMTUNE_LOAD_CURVE"),
		"p256")]
	if !ok {
		b.Fatal("BLOSSOMTUNE_LOAD_CURVE is p256 or p384")
	}
	s := start(b, nodes+1)
	m := newCPUMeter(b, s.data)
	began := time.Now()
	agents := os.Getenv("BLOSSOMTUNE_LOAD_AS") == "agents"
	f := s.load(nodes, curve, fleetload.Options{Duration: 4 * time.Hour, Ramp: time.Duration(nodes) * 10 * time.Millisecond,
		Agents: agents, Patient: agents})
	b.Logf("all online after %s, with %s of the server's processor time", time.Since(began), m.spent())
	spent := spending(b, m, f)
	f.ForgetTimes() // those of the start
	end := time.NewTimer(time.Duration(idle) * time.Second)
	<-end.C
	b.Logf("%d idle nodes, heartbeats: %+v", nodes, f.Report().Heartbeats)
	spent(fmt.Sprintf("%d idle nodes", nodes))
	for p := range phases {
		if p == phases-1 && os.Getenv("BLOSSOMTUNE_LOAD_RESTART") != "" {
			s.restartInAPhase(b, f, nodes)
		} else {
			b.Logf("phase %d: %q", p, s.phases(nodes, 1))
		}
		spent(fmt.Sprintf("phase %d", p))
	}
	text, err := json.MarshalIndent(f.Stop(), "", "  ")
	if err != nil {
		b.Fatal(err)
	}
	fmt.Printf("%s\n%s\n", text, machine(b))
	b.ReportMetric(0, "ns/op")
}

// spending returns a function that logs what each kind of process, and the generator, used since it was called last.
func spending(b *testing.B, m *cpuMeter, f *fleetload.Fleet) func(what string) {
	before, own, from := m.byName(), f.Report().CPUSeconds, time.Now()
	return func(what string) {
		after, ownNow, now := m.byName(), f.Report().CPUSeconds, time.Now()
		seconds := now.Sub(from).Seconds()
		for _, name := range slices.Sorted(maps.Keys(after)) {
			if d := (after[name] - before[name]).Seconds(); d > 0 {
				b.Logf("%s, %.0f s: %s used %.2f s, %.3f of a core", what, seconds, name, d, d/seconds)
			}
		}
		b.Logf("%s, %.0f s: the generator used %.2f s, %.3f of a core", what, seconds, ownNow-own, (ownNow-own)/seconds)
		for pid, name := range m.pids() {
			if strings.HasPrefix(name, "blossomtune ") {
				b.Logf("%s: %s holds %.0f MB", what, name, float64(proportional(pid))/1e6)
			}
		}
		before, own, from = m.byName(), f.Report().CPUSeconds, time.Now()
	}
}

// load enrols SuperNodes in the federation, starts them, and waits until they are online. Only the last is enrolled as people do it.
func (s *server) load(n int, curve elliptic.Curve, o fleetload.Options) *fleetload.Fleet {
	s.t.Helper()
	keys, err := fleetload.NewKeys(n, curve)
	if err == nil {
		err = s.enrol(keys)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	last := s.approved("Last")
	last.upload("key") // the server registers all new keys then
	await(s.t, 5*time.Minute, "all keys are registered", func() (string, bool) {
		left, err := s.unregistered()
		return fmt.Sprint(left, err), err == nil && left == 0
	})
	ca, err := os.ReadFile(last.fetchCA())
	if err != nil {
		s.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	o.Target, o.Keys = fleetload.Target{URL: "https://localhost:" + portOf(s.addr), Roots: roots}, keys
	f, err := fleetload.Start(s.t.Context(), o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { f.Stop() })
	if err := f.Online(s.t.Context(), n); err != nil {
		s.t.Fatalf("%v: %+v", err, f.Report())
	}
	return f
}

func (s *server) database() (*store.DB, error) {
	return store.OpenExisting(s.t.Context(), "sqlite:"+filepath.Join(s.data, "blossomtune.db"))
}

// enrol writes requests and keys to the database.
func (s *server) enrol(keys []*fleetload.Key) error {
	db, err := s.database()
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, now := s.t.Context(), time.Now()
	return db.InTx(ctx, func(tx *store.Tx) error {
		for i, k := range keys {
			p := domain.Person{Email: fmt.Sprintf("load%d@example.org", i), Name: "Load", CreatedAt: now}
			if err := tx.InsertPerson(ctx, &p); err != nil {
				return err
			}
			r := domain.Request{Ref: fmt.Sprintf("L%07d", i), FederationID: 1, PersonID: p.ID, Email: p.Email, Name: p.Name,
				State: domain.Approved, Partition: i,
				CreatedAt: now, DecidedAt: now}
			if err := tx.InsertRequest(ctx, &r); err != nil {
				return err
			}
			_, fingerprint, err := domain.NodeKeyPEM(k.Public())
			if err != nil {
				return err
			}
			row := domain.NodeKey{FederationID: 1, RequestID: r.ID, Partition: i, PublicPEM: k.PublicPEM, Fingerprint: fingerprint,
				Via: "upload", CreatedAt: now}
			if err := tx.InsertNodeKey(ctx, &row); err != nil {
				return err
			}
		}
		return nil
	})
}

// unregistered counts the keys that have no node id yet.
func (s *server) unregistered() (left int, err error) {
	db, err := s.database()
	if err != nil {
		return 0, err
	}
	defer db.Close()
	err = db.View(s.t.Context(), func(tx *store.Tx) error { // nothing that keeps the server from writing
		keys, err := tx.NodeKeys(s.t.Context(), 1)
		for _, k := range keys {
			if k.NodeID == 0 {
				left++
			}
		}
		return err
	})
	return left, err
}

// restartInAPhase kills the server in a phase, starts it again, and logs when all nodes are back and what the phase brought.
func (s *server) restartInAPhase(b *testing.B, f *fleetload.Fleet, nodes int) {
	before := f.Report().Replies
	r := s.launch(s.app("phases"), map[string]string{"phases": "1", "min-nodes": itoa(nodes)})
	await(b, 10*time.Minute, "a quarter of the replies is there", func() (string, bool) {
		n := f.Report().Replies - before
		return fmt.Sprint(n), int(n) >= nodes/4
	})
	s.kill()
	killed := time.Now()
	s.serve()
	s.awaitUp()
	up := time.Now()
	await(b, 10*time.Minute, "all nodes are back", func() (string, bool) {
		n := f.Heard(up)
		return fmt.Sprint(n), n == nodes
	})
	b.Logf("the server was up %s after kill -9, and all %d nodes had an answer %s later", up.Sub(killed), nodes, time.Since(up))
	lines := s.phaseLines(r)
	report := f.Report()
	b.Logf("the phase of the restart: %q, %d replies, %d lost", lines, report.Replies-before, report.Lost)
}

// phases runs the app that asks all nodes, and returns what it printed of each phase.
func (s *server) phases(nodes, n int) (lines []string) {
	s.t.Helper()
	return s.phaseLines(s.launch(s.app("phases"), map[string]string{"phases": itoa(n), "min-nodes": itoa(nodes)}))
}

// phaseLines waits for a run of the app that asks all nodes, and returns what it printed of each phase.
func (s *server) phaseLines(r runView) (lines []string) {
	s.t.Helper()
	r = s.becomes(r.Name, "completed", 10*time.Minute)
	log, err := os.ReadFile(s.logFile(r))
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		if strings.HasPrefix(line, "PHASE ") || strings.HasPrefix(line, "ERROR ") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}
