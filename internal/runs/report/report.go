// Package report says in one way what has become of a run: the audit entry that a change of a run is written with, and the events
// that those who watch the run get.
//
// It decides nothing and writes nothing. Whether a run may change is for package drive and the service in package runs.
package report

import (
	"strconv"

	"blossomtune/internal/domain"
	"blossomtune/internal/events"
)

// Reporter makes audit entries and publishes events of runs.
type Reporter struct {
	Events *events.Bus
	Clock  domain.Clock
}

// Entry is the audit entry of an action on a run, at this moment. Details with an empty text are left out.
func (r Reporter) Entry(actor domain.Actor, run domain.Run, action string, detail map[string]string) domain.AuditEntry {
	for k, v := range detail {
		if v == "" {
			delete(detail, k)
		}
	}
	return domain.AuditEntry{At: r.Clock().UTC(), Actor: actor, Action: action, ObjectKind: "run", ObjectID: run.Name,
		FederationID: run.FederationID, Detail: detail}
}

// Publish sends an event of a run to those who watch it, and a "state" or "round" also to those who watch its federation. Call it
// after the change is committed.
func (r Reporter) Publish(run domain.Run, kind string) {
	r.Events.Publish(events.Event{Topic: RunTopic(run.ID), Kind: kind})
	if kind == "state" || kind == "round" {
		r.Events.Publish(events.Event{Topic: FederationTopic(run.FederationID), Kind: kind})
	}
}

// RunTopic is the topic of one run's events. Kinds: "state", "round", "metric", "log", "participants", "link".
func RunTopic(id int64) string { return "run:" + strconv.FormatInt(id, 10) }

// FederationTopic is the topic of the events of all runs of a federation. Kinds: "state", "round".
func FederationTopic(fedID int64) string { return "runs:" + strconv.FormatInt(fedID, 10) }
