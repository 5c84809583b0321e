package demo

import (
	"bytes"
	"testing"
	"time"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

func newTrial(o TryOptions, keys ...string) (*trial, *bytes.Buffer) {
	out := &bytes.Buffer{}
	t := &trial{demo: &demo{s: &screen{out: out, now: time.Now}}, options: o}
	for _, k := range keys {
		t.version.Config = append(t.version.Config, client.ConfigKey{Key: k})
	}
	t.run.Rounds = 2
	return t, out
}

func TestMetricsOfARoundAndPhaseAreOneLine(t *testing.T) {
	tr, out := newTrial(TryOptions{})
	value := func(f float64) *float64 { return &f }
	tr.print([]client.Metric{
		{Round: 1, Phase: "train", NodeID: 7, Name: "loss", Value: value(9)}, // of one participant
		{Round: 1, Phase: "train", Name: "loss", Value: value(0.5)},
		{Round: 1, Phase: "train", Name: "acc\x1b[2J", Value: value(1.0 / 3)},
		{Round: 1, Phase: "evaluate", Name: "loss", Text: "NaN"},
	})
	want := "      round 1/2  train     loss 0.5  acc�[2J 0.333333\n      round 1/2  evaluate  loss NaN\n"
	if out.String() != want {
		t.Errorf("it prints %q, want %q", out.String(), want)
	}
}

func TestTheNumberOfRoundsGoesToTheAppsOwnKey(t *testing.T) {
	tr, _ := newTrial(TryOptions{Rounds: 4, Config: map[string]string{"lr": "0.1"}}, "lr", "num_rounds")
	got, err := tr.config()
	if err != nil || len(got) != 2 || got["num_rounds"] != "4" || got["lr"] != "0.1" {
		t.Errorf("the run config is %v, %v", got, err)
	}
	tr, _ = newTrial(TryOptions{Rounds: 4}, "lr")
	if got, err := tr.config(); domain.CodeOf(err) != domain.Invalid {
		t.Errorf("an app without such a key: %v, %v", got, err)
	}
	tr, _ = newTrial(TryOptions{}, "lr")
	if got, err := tr.config(); err != nil || len(got) != 0 {
		t.Errorf("the app's own number: %v, %v", got, err)
	}
}
