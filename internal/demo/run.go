package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

// appName is the bundled app that the demo runs.
const appName = "blossomtune/quickstart-digits"

// run launches the bundled app and draws a bar per round, until it has ended.
func (d *demo) run(ctx context.Context) error {
	wait, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	d.s.begin("Launching %s", appName)
	hash, err := d.findApp(wait)
	if err != nil {
		return err
	}
	var r client.Run
	if err := d.launch(wait, client.RunLaunch{App: hash, Note: "made by blossomtune demo"}, &r); err != nil {
		return err
	}
	d.s.line("      watch it at %s/f/%s/runs/%s", d.app.PublicURL(), d.fed.Slug, r.Name)
	d.s.begin("Training, two of %d partitions", Partitions)
	accuracy, err := d.watch(wait, &r)
	if err != nil {
		return err
	}
	var cause domain.Cause
	if r.Cause != nil {
		cause = *r.Cause
	}
	if r.State != string(domain.Completed) {
		return &domain.Error{Code: domain.Unavailable, Message: fmt.Sprintf("The run is %s: %s", r.State, cause.Message),
			Remedy: cause.Remedy}
	}
	if r.Outcome == string(domain.NothingTrained) {
		return &domain.Error{Code: domain.Unavailable, Message: cause.Message, Remedy: cause.Remedy}
	}
	d.s.done("%s, accuracy %.4f on held-out data", r.State, accuracy)
	return nil
}

// launch puts a run into the queue.
func (d *demo) launch(ctx context.Context, in client.RunLaunch, r *client.Run) error {
	if err := d.admin.Do(ctx, "POST", "/federations/"+d.fed.Slug+"/runs", in, r); err != nil {
		return err
	}
	d.s.done("run %s", r.Name)
	return nil
}

func (d *demo) findApp(ctx context.Context) (hash string, err error) {
	var apps []client.App
	err = await(ctx, 100*time.Millisecond, func() (bool, error) {
		if err := d.admin.Do(ctx, "GET", "/apps", nil, &apps); err != nil {
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
func (d *demo) watch(ctx context.Context, r *client.Run) (accuracy float64, err error) {
	losses := map[int]float64{}
	err = d.follow(ctx, r, func(ms []client.Metric) {
		for _, m := range ms {
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
	})
	return accuracy, err
}

// follow hands on the run's metrics as they come, until it has ended.
func (d *demo) follow(ctx context.Context, r *client.Run, came func([]client.Metric)) error {
	var after int64
	return await(ctx, 200*time.Millisecond, func() (bool, error) {
		if err := d.admin.Do(ctx, "GET", "/runs/"+r.Name, nil, r); err != nil {
			return false, err
		}
		var ms []client.Metric // read after the state: at the end there is nothing more to come
		if err := d.admin.Do(ctx, "GET", fmt.Sprintf("/runs/%s/metrics?after=%d", r.Name, after), nil, &ms); err != nil {
			return false, err
		}
		if len(ms) > 0 {
			after = ms[len(ms)-1].ID
			came(ms)
		}
		note := r.State
		if r.Round > 0 {
			note += fmt.Sprintf(", round %d of %d", r.Round, r.Rounds)
		}
		d.s.note(note)
		return domain.RunState(r.State).Ended(), nil
	})
}
