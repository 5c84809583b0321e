package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// appName is the bundled app that the demo runs.
const appName = "blossomtune/quickstart-digits"

type runView struct {
	Name, State   string
	Outcome       string
	Round, Rounds int
	Cause         struct{ Message, Remedy string }
}

type metric struct {
	ID          int64
	Round       int
	Phase, Name string
	Value       *float64
}

// run launches the bundled app and draws a bar per round, until it has ended.
func (d *demo) run(ctx context.Context) error {
	wait, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	d.s.begin("Launching %s", appName)
	hash, err := d.findApp(wait)
	if err != nil {
		return err
	}
	var r runView
	if err := d.admin.call(wait, "POST", "/federations/"+slug+"/runs", map[string]any{"app": hash, "note": "made by blossomtune demo"}, &r); err != nil {
		return err
	}
	d.s.done("run %s", r.Name)
	d.s.line("      watch it at %s/f/%s/runs/%s", d.app.PublicURL(), slug, r.Name)
	d.s.begin("Training, two of %d partitions", Partitions)
	accuracy, err := d.watch(wait, &r)
	if err != nil {
		return err
	}
	if r.State != string(domain.Completed) {
		return &domain.Error{Code: domain.Unavailable, Message: fmt.Sprintf("The run is %s: %s", r.State, r.Cause.Message), Remedy: r.Cause.Remedy}
	}
	if r.Outcome == string(domain.NothingTrained) {
		return &domain.Error{Code: domain.Unavailable, Message: r.Cause.Message, Remedy: r.Cause.Remedy}
	}
	d.s.done("%s, accuracy %.4f on held-out data", r.State, accuracy)
	return nil
}

func (d *demo) findApp(ctx context.Context) (hash string, err error) {
	var apps []struct{ Hash, ID string }
	err = await(ctx, 100*time.Millisecond, func() (bool, error) {
		if err := d.admin.call(ctx, "GET", "/apps", nil, &apps); err != nil {
			return false, err
		}
		for _, a := range apps { // newest first
			if a.ID == appName {
				hash = a.Hash
				return true, nil
			}
		}
		return false, nil
	})
	return hash, err
}

// watch follows the run to its end and returns the last accuracy that the ServerApp measured.
func (d *demo) watch(ctx context.Context, r *runView) (accuracy float64, err error) {
	var after int64
	losses := map[int]float64{}
	err = await(ctx, 200*time.Millisecond, func() (bool, error) {
		if err := d.admin.call(ctx, "GET", "/runs/"+r.Name, nil, r); err != nil {
			return false, err
		}
		var ms []metric // read after the state: at the end there is nothing more to come
		if err := d.admin.call(ctx, "GET", fmt.Sprintf("/runs/%s/metrics?after=%d", r.Name, after), nil, &ms); err != nil {
			return false, err
		}
		for _, m := range ms {
			after = m.ID
			if m.Phase != string(domain.PhaseServer) || m.Value == nil {
				continue
			}
			switch strings.ToLower(m.Name) {
			case "loss":
				losses[m.Round] = *m.Value
			case "accuracy":
				accuracy = *m.Value
				d.s.round(m.Round, r.Rounds, accuracy, losses[m.Round])
			}
		}
		note := r.State
		if r.Round > 0 {
			note += fmt.Sprintf(", round %d of %d", r.Round, r.Rounds)
		}
		d.s.note(note)
		return domain.RunState(r.State).Ended(), nil
	})
	return accuracy, err
}
