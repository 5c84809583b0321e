package runs

import (
	"context"
	"encoding/json"
	"slices"

	"blossomtune/internal/domain"
)

// Describe changes a run's note and tags, whatever state it is in. Nothing is written when nothing changes.
func (s *Service) Describe(ctx context.Context, actor domain.Actor, id int64, note string, tags []string) (domain.Run, error) {
	return s.describe(ctx, actor, id, "run.described", func(Tx, domain.Run) (string, []string, error) { return note, tags, nil })
}

// UndoDescribe brings back the note and the tags that a run had before they were last changed, if they are still as that change
// left them. Otherwise it is a [domain.Conflict].
func (s *Service) UndoDescribe(ctx context.Context, actor domain.Actor, id int64) (domain.Run, error) {
	return s.describe(ctx, actor, id, "run.description_undone", func(tx Tx, run domain.Run) (string, []string, error) {
		nothing := domain.Errorf(domain.Conflict, "There is nothing to undo: the description of %s was changed since.", run.Name)
		all, err := tx.AuditEntries(ctx, domain.AuditFilter{FederationID: run.FederationID, ObjectKind: "run", ObjectID: run.Name, Limit: 20})
		if err != nil {
			return "", nil, err
		}
		for _, e := range all {
			if e.Action == "run.description_undone" {
				return "", nil, nothing
			}
			if e.Action != "run.described" {
				continue
			}
			var before, after []string
			if json.Unmarshal([]byte(e.Detail["tags_before"]), &before) != nil || json.Unmarshal([]byte(e.Detail["tags"]), &after) != nil || e.Detail["note"] != run.Note || !slices.Equal(after, run.Tags) {
				return "", nil, nothing
			}
			return e.Detail["note_before"], before, nil
		}
		return "", nil, nothing
	})
}

func (s *Service) describe(ctx context.Context, actor domain.Actor, id int64, action string, next func(Tx, domain.Run) (string, []string, error)) (run domain.Run, err error) {
	changed := false
	err = s.Store.InTx(ctx, func(tx Tx) error {
		changed = false
		if run, err = tx.RunByID(ctx, id); err != nil {
			return err
		}
		if err := checkThere(run); err != nil {
			return err
		}
		note, tags, err := next(tx, run)
		if err != nil {
			return err
		}
		note, tags = domain.Text(note), cleanTags(tags)
		if err := s.checkWords(LaunchInput{Note: note, Tags: tags}); err != nil {
			return err
		}
		if note == run.Note && slices.Equal(tags, run.Tags) {
			return nil
		}
		detail := map[string]string{"note_before": run.Note, "note": note, "tags_before": jsonOf(run.Tags), "tags": jsonOf(tags)}
		run.Note, run.Tags, changed = note, tags, true
		if err := tx.DescribeRun(ctx, run); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.reporter.Entry(actor, run, action, detail))
	})
	if err == nil && changed {
		s.reporter.Publish(run, "state")
	}
	return run, err
}

// cleanTags leaves out spaces around tags, empty ones and repetitions.
func cleanTags(tags []string) (out []string) {
	for _, t := range tags {
		if t = domain.Line(t); t != "" && !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

func jsonOf(tags []string) string {
	text, err := json.Marshal(append([]string{}, tags...))
	if err != nil {
		panic(err) // texts only
	}
	return string(text)
}
