package superlink_test

import (
	"context"
	"crypto/elliptic"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"blossomtune/internal/fleetload"
	"blossomtune/internal/fleetload/flowerlink"
	"blossomtune/internal/flower/superlink"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/store/linkstore"
	"blossomtune/internal/testflwr"
)

// side is a SuperLink with its SuperNodes and a ServerApp.
type side struct {
	name  string
	fleet *fleetload.Fleet
	grid  *fleetload.Grid
	nodes []uint64
	pause time.Duration // between two polls of the ServerApp
}

const (
	phaseNodes   = 60
	phaseObjects = 12
)

// BenchmarkPhase compares one phase of 60 SuperNodes with 12 objects each: our SuperLink, with TLS and every signature checked, and
// Flower's. The two take turns in one run. Flower's ServerApp pauses for three seconds between polls; our SuperLink holds the poll
// of an observed run until the replies are here, which the short pause stands for.
func BenchmarkPhase(b *testing.B) {
	ctx := context.Background()
	keys, err := fleetload.NewKeys(2*phaseNodes, elliptic.P384())
	if err != nil {
		b.Fatal(err)
	}
	sides := []*side{ours(ctx, b, keys[:phaseNodes]), flowers(ctx, b, keys[phaseNodes:])}
	for _, s := range sides {
		defer s.fleet.Stop()
		if err := s.fleet.Online(ctx, phaseNodes); err != nil {
			b.Fatal(err)
		}
		if s.nodes, err = s.grid.AwaitNodes(ctx, phaseNodes); err != nil {
			b.Fatal(err)
		}
	}
	took := map[string][]float64{}
	for i := range b.N {
		for _, s := range sides {
			r, err := s.grid.Phase(ctx, fleetload.Ask{Nodes: s.nodes, Group: fmt.Sprint(i), Objects: phaseObjects, Pause: s.pause})
			if err != nil || r.Replies != phaseNodes || r.Wrong != 0 || r.Objects != phaseNodes*phaseObjects {
				b.Fatalf("%s: %v %+v", s.name, err, r)
			}
			took[s.name] = append(took[s.name], r.Seconds)
			b.Logf("%s: %.2f s", s.name, r.Seconds)
		}
	}
	for name, all := range took {
		sum := 0.0
		for _, v := range all {
			sum += v
		}
		b.ReportMetric(sum/float64(len(all)), name+"-s/phase")
	}
}

// ours starts a SuperLink behind TLS and a check of signatures, as the gateway makes it.
func ours(ctx context.Context, b *testing.B, keys []*fleetload.Key) *side {
	store, err := linkstore.Open(ctx, "sqlite:"+filepath.Join(b.TempDir(), "link.db"), 1)
	if err != nil {
		b.Fatal(err)
	}
	link, err := superlink.Open(ctx, superlink.Options{Dir: filepath.Join(b.TempDir(), "objects"), Store: store,
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { link.Close(); store.Close() })
	fleet, runtime := link.FleetHandler(), link.RuntimeHandler(nil)
	mux := http.NewServeMux()
	mux.Handle("/v1/runtime/", runtime)
	mux.HandleFunc("/v1/fleet/", func(w http.ResponseWriter, r *http.Request) {
		if _, err := wire.VerifyHeaders(r.Header, time.Now()); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		r.Header.Set(superlink.HeaderHold, "20000")
		fleet.ServeHTTP(w, r)
	})
	srv := httptest.NewTLSServer(mux)
	b.Cleanup(srv.Close)
	for _, k := range keys {
		if _, err := link.Register(k.PublicPEM, "", 0); err != nil {
			b.Fatal(err)
		}
	}
	run, err := link.Start(superlink.Order{FAB: []byte("no FAB")})
	if err != nil {
		b.Fatal(err)
	}
	task, err := link.Acquire(run)
	if err != nil {
		b.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	target := fleetload.Target{URL: srv.URL, Roots: roots}
	grid, err := fleetload.NewGrid(ctx, target, run, task.Token)
	if err == nil {
		err = grid.Begin(ctx)
	}
	if err != nil {
		b.Fatal(err)
	}
	return &side{name: "builtin", fleet: load(ctx, b, target, keys), grid: grid, pause: 100 * time.Millisecond}
}

func flowers(ctx context.Context, b *testing.B, keys []*fleetload.Key) *side {
	l, err := flowerlink.Start(ctx, testflwr.Venv(b), b.TempDir())
	if err == nil {
		b.Cleanup(l.Stop)
		err = l.Register(ctx, keys)
	}
	if err != nil {
		b.Fatal(err)
	}
	fleet := load(ctx, b, l.Target, keys)
	grid, err := l.Grid(ctx)
	if err != nil {
		b.Fatal(err)
	}
	return &side{name: "flower", fleet: fleet, grid: grid, pause: 3 * time.Second}
}

func load(ctx context.Context, b *testing.B, target fleetload.Target, keys []*fleetload.Key) *fleetload.Fleet {
	f, err := fleetload.Start(ctx, fleetload.Options{Target: target, Keys: keys, Duration: 30 * time.Minute, Objects: phaseObjects})
	if err != nil {
		b.Fatal(err)
	}
	return f
}
