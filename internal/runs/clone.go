package runs

import (
	"context"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// InputOf is the launch that would make the same run again, but for its Run ID, which is never used twice, its start, and the total of
// partitions, which is the federation's at the launch: SuperNodes split their data by that.
func InputOf(run domain.Run) LaunchInput {
	config := map[string]string{}
	for key, v := range run.Config {
		config[key] = domain.ConfigText(v)
	}
	limits := run.Settings.Limits
	return LaunchInput{FederationID: run.FederationID, AppHash: run.AppHash, Config: config, Settings: run.Settings, Limits: &limits, Note: run.Note, Tags: run.Tags}
}

// Changes is what a clone has otherwise than its run.
type Changes struct {
	Name      string            // the Run ID; "": the next free one of the same base
	Config    map[string]string // key to text, over the run's own
	Note      *string
	Tags      []string // nil: the run's
	NotBefore time.Time
	Override  string
}

// Clone launches a run again, with changes or without any: the same app version, run config and settings, over the federation's present total of partitions. Errors are those of
// [Service.Launch].
func (s *Service) Clone(ctx context.Context, actor domain.Actor, id int64, c Changes) (domain.Run, error) {
	run, err := s.Get(ctx, id)
	if err != nil {
		return run, err
	}
	in := InputOf(run)
	in.Name, in.NotBefore, in.Override = c.Name, c.NotBefore, c.Override
	for key, text := range c.Config {
		in.Config[key] = text
	}
	if c.Note != nil {
		in.Note = *c.Note
	}
	if c.Tags != nil {
		in.Tags = c.Tags
	}
	if in.Name == "" {
		if in.Name, err = s.NextName(ctx, run); err != nil {
			return domain.Run{}, err
		}
	}
	return s.Launch(ctx, actor, in)
}

// NextName returns a free Run ID for a clone of a run: after "cnn-12" comes "cnn-13".
func (s *Service) NextName(ctx context.Context, run domain.Run) (name string, err error) {
	base := trailingNumber.ReplaceAllString(run.Name, "")
	if base = strings.Trim(base[:min(len(base), 56)], "._-"); base == "" {
		base = "run"
	}
	err = s.Store.View(ctx, func(tx Tx) (err error) {
		name, err = freeName(ctx, tx, run.FederationID, base)
		return err
	})
	return name, err
}
