package flowerlink

import (
	"crypto/elliptic"
	"fmt"
	"testing"
	"time"

	"blossomtune/internal/fleetload"
	"blossomtune/internal/testflwr"
)

// Twenty SuperNodes do two phases with Flower's own SuperLink: it accepts every call, and every object arrives as it was sent.
func TestFlowersSuperLinkTakesTheLoadForSuperNodes(t *testing.T) {
	const nodes, objects = 20, 12
	ctx := t.Context()
	l, err := Start(ctx, testflwr.Venv(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Stop)
	keys, err := fleetload.NewKeys(nodes, elliptic.P384())
	if err == nil {
		err = l.Register(ctx, keys)
	}
	if err != nil {
		t.Fatal(err)
	}
	// Flower's SuperLink answers 500 when its database is locked, which ends a stock SuperNode's message: patient ones try again.
	f, err := fleetload.Start(ctx, fleetload.Options{Target: l.Target, Keys: keys, Duration: 3 * time.Minute, Objects: objects, Patient: true})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Stop()
	if err := f.Online(ctx, nodes); err != nil {
		t.Fatal(err)
	}
	g, err := l.Grid(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := g.AwaitNodes(ctx, nodes)
	if err != nil {
		t.Fatal(err)
	}
	for phase := range 2 {
		r, err := g.Phase(ctx, fleetload.Ask{Nodes: ids, Group: fmt.Sprint(phase), Objects: objects})
		if err != nil {
			t.Fatalf("%v: %+v", err, r)
		}
		if r.Replies != nodes || r.Errors != 0 || r.Objects != nodes*objects || r.Wrong != 0 {
			t.Errorf("phase %d: %+v", phase, r)
		}
		t.Logf("phase %d: %+v", phase, r)
	}
	if err := g.End(ctx); err != nil {
		t.Error(err)
	}
	r := f.Stop()
	if r.Online != nodes || r.Missing != 0 || r.WrongObjects != 0 || r.Replies != 2*nodes || r.Lost != 0 ||
		r.ObjectsPulled != 2*nodes*objects {
		t.Errorf("%+v", r)
	}
	if runs, err := l.Control.ListRuns(ctx, 0); err != nil || len(runs) != 1 || runs[0].SubStatus != "completed" {
		t.Errorf("%v; runs: %+v", err, runs)
	}
	registered, err := l.Control.ListNodes(ctx)
	for _, n := range registered {
		if n.Status != "offline" {
			t.Errorf("after the load test, node %d is %s", n.ID, n.Status)
		}
	}
	if err != nil || len(registered) != nodes {
		t.Errorf("%v: %d nodes", err, len(registered))
	}
}
