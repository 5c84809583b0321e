// Command cmd puts the load of many Flower SuperNodes on a Fleet API on this machine and prints what they experienced as JSON:
//
//	go run ./internal/fleetload/cmd --flower ~/venv --nodes 300 --duration 1m
//	go run ./internal/fleetload/cmd --flower ~/venv --nodes 60 --phases 2 --objects 12
//	go run ./internal/fleetload/cmd --url https://localhost:8443 --ca ca.pem --keys keys.pem --duration 10m
//
// With --flower it starts Flower's SuperLink of a Python environment and registers the nodes there. With --url the keys in --keys must be
// registered already; a missing file is written with new keys, and the command ends so that they can be.
package main

import (
	"context"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/fleetload"
	"blossomtune/internal/fleetload/flowerlink"
	"blossomtune/internal/flower/python"
)

// settings are the command's flags.
type settings struct {
	fleetload.Options
	nodes, phases            int
	curve, flower, ca, keys  string
	out                      string
	phaseObjects, phaseBytes int
}

func main() {
	log.SetFlags(0)
	var s settings
	flag.StringVar(&s.Target.URL, "url", "", "the Fleet API, such as https://localhost:8443; a loopback address")
	flag.StringVar(&s.ca, "ca", "", "the file of the certificate that vouches for it; the system's by default")
	flag.StringVar(&s.keys, "keys", "", "the file of the nodes' keys")
	flag.StringVar(&s.flower, "flower", "", "start Flower's SuperLink of this Python environment and use it")
	flag.IntVar(&s.nodes, "nodes", 100, "number of SuperNodes")
	flag.StringVar(&s.curve, "curve", "p384", "of new keys: p384, as Flower's, or p256")
	flag.DurationVar(&s.Duration, "duration", time.Minute, "how long the nodes are there; phases end it sooner")
	flag.DurationVar(&s.Ramp, "ramp", 5*time.Second, "the nodes start evenly within this time")
	flag.DurationVar(&s.Think, "think", 0, "how long a node works on a message")
	flag.IntVar(&s.Objects, "objects", 12, "objects of a reply")
	flag.IntVar(&s.ObjectBytes, "object-bytes", 1024, "bytes of each array of a reply")
	flag.Uint64Var(&s.Seed, "seed", 1, "of pauses and start times")
	flag.BoolVar(&s.Agents, "agents", false, "bind keys to connections, as agents do")
	flag.BoolVar(&s.Patient, "patient", false, "repeat calls that flwr gives up on, and heed Retry-After")
	flag.DurationVar(&s.ReuseSignatures, "reuse-signatures", 0, "how long a signature serves; for servers that do not refuse replays")
	flag.IntVar(&s.phases, "phases", 0, "with --flower: play a ServerApp that asks all nodes so often")
	flag.IntVar(&s.phaseObjects, "phase-objects", 12, "objects of a message to the nodes")
	flag.IntVar(&s.phaseBytes, "phase-object-bytes", 1024, "bytes of each array of a message to the nodes")
	flag.StringVar(&s.out, "out", "", "a file for the report; standard output by default")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s); err != nil {
		log.Fatal(err)
	}
}

// output is what the command prints.
type output struct {
	Fleet  *fleetload.Report  `json:"fleet"`
	Phases []fleetload.Result `json:"phases,omitempty"` // as the ServerApp saw them
}

func run(ctx context.Context, s settings) (err error) {
	if s.Options.Keys, err = s.someKeys(); err != nil {
		return err
	}
	var link *flowerlink.Link
	switch {
	case s.flower != "" && s.Target.URL == "":
		if link, err = s.startFlower(ctx); err != nil {
			return err
		}
		defer link.Stop()
		s.Target = link.Target
	case s.flower != "" || s.phases > 0 || s.Target.URL == "":
		return domain.Errorf(domain.Invalid, "Set either --flower or --url; --phases needs --flower.")
	case s.ca != "":
		if s.Target.Roots, err = readRoots(s.ca); err != nil {
			return err
		}
	}
	f, err := fleetload.Start(ctx, s.Options)
	if err != nil {
		return err
	}
	var out output
	if s.phases > 0 {
		out.Phases, err = s.play(ctx, link, f)
	} else {
		end := time.NewTimer(max(s.Duration-100*time.Millisecond, 0)) // just before the nodes stop: they are counted
		defer end.Stop()
		select {
		case <-ctx.Done():
		case <-end.C:
		}
	}
	out.Fleet = f.Stop()
	return errors.Join(err, s.write(out))
}

func (s settings) someKeys() ([]*fleetload.Key, error) {
	curve, ok := map[string]elliptic.Curve{"p384": elliptic.P384(), "p256": elliptic.P256()}[s.curve]
	if !ok {
		return nil, domain.Errorf(domain.Invalid, "--curve is p384 or p256.")
	}
	if s.keys == "" && s.flower != "" {
		return fleetload.NewKeys(s.nodes, curve)
	}
	keys, err := fleetload.LoadKeys(s.keys)
	if errors.Is(err, fs.ErrNotExist) && s.keys != "" {
		if keys, err = fleetload.NewKeys(s.nodes, curve); err == nil {
			err = fleetload.SaveKeys(s.keys, keys)
		}
		if err == nil && s.flower == "" {
			return nil, domain.Errorf(domain.NotFound, "%s did not exist; it has %d new keys now.", s.keys,
				s.nodes).Fix("Register them, then try again.")
		}
	}
	return keys, err
}

func (s settings) startFlower(ctx context.Context) (*flowerlink.Link, error) {
	env, err := python.Open(s.flower)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "fleetload-")
	if err != nil {
		return nil, err
	}
	log.Printf("Flower's SuperLink works in %s", dir)
	link, err := flowerlink.Start(ctx, env, dir)
	if err != nil {
		return nil, err
	}
	if err := link.Register(ctx, s.Options.Keys); err != nil {
		link.Stop()
		return nil, err
	}
	return link, nil
}

// play asks all nodes, phase by phase.
func (s settings) play(ctx context.Context, link *flowerlink.Link, f *fleetload.Fleet) (results []fleetload.Result, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.Duration)
	defer cancel()
	if err := f.Online(ctx, len(s.Options.Keys)); err != nil {
		return nil, err
	}
	g, err := link.Grid(ctx)
	if err != nil {
		return nil, err
	}
	ids, err := g.AwaitNodes(ctx, len(s.Options.Keys))
	if err != nil {
		return nil, err
	}
	for i := range s.phases {
		r, err := g.Phase(ctx, fleetload.Ask{Nodes: ids, Group: fmt.Sprint(i + 1), Objects: s.phaseObjects, ObjectBytes: s.phaseBytes})
		results = append(results, r)
		if err != nil {
			return results, err
		}
	}
	return results, g.End(ctx)
}

func (s settings) write(out output) error {
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if s.out == "" {
		_, err = os.Stdout.Write(text)
		return err
	}
	return os.WriteFile(s.out, text, 0o644)
}

func readRoots(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, domain.Errorf(domain.Invalid, "%s has no certificate.", path)
	}
	return pool, nil
}
