package run

import (
	"fmt"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/run/rounds"
	"blossomtune/internal/web/ui"
)

// peopleShown is how many participants a run's page lists; the API has all.
const peopleShown = 200

// personLine is one participant of a run as its page shows them.
type personLine struct {
	domain.RunParticipant
	label string
	start ui.Tone
	part  ui.Tone
}

// peopleLines are the participants of a run, in the order of their partitions.
func peopleLines(d runDetail) []personLine {
	out := make([]personLine, 0, len(d.people))
	for _, p := range d.people {
		out = append(out, personLine{p, partitionOf(p), startTone(p, d.run), ui.PartTone(p, d.run.State.Ended())})
	}
	return out
}

// partitionOf names a participant of a run by what they held then.
func partitionOf(p domain.RunParticipant) string {
	switch {
	case p.Partition < 0:
		return rounds.LabelOf(nil, p.NodeID)
	case p.Partitions > 0:
		return fmt.Sprintf("Partition %d of %d", p.Partition, p.Partitions)
	}
	return fmt.Sprintf("Partition %d", p.Partition)
}

// startTone is how a participant was at the run's start.
func startTone(p domain.RunParticipant, run domain.Run) ui.Tone {
	switch {
	case run.ParticipantsAt.IsZero():
		return ui.Tone{Class: "is-off", Icon: "free", Word: "not known"}
	case p.Online:
		return ui.Tone{Class: "is-ok", Icon: "ok", Word: "online"}
	case p.JoinedAt.After(run.StartingAt):
		return ui.Tone{Class: "is-off", Icon: "plus", Word: "joined later"}
	case p.NodeID == 0:
		return ui.Tone{Class: "is-wait", Icon: "wait", Word: "not connected yet"}
	}
	return ui.Tone{Class: "is-off", Icon: "off", Word: "offline"}
}

// peopleWords sums the participants of a run up: "4 enrolled, 3 online at the start, 3 asked, 2 contributed".
func peopleWords(d runDetail) string {
	if len(d.people) == 0 {
		return ""
	}
	asked, contributed := contributions(d)
	parts := []string{strconv.Itoa(asked) + " asked", strconv.Itoa(contributed) + " contributed"}
	if !d.run.ParticipantsAt.IsZero() {
		parts = append([]string{strconv.Itoa(d.count.Enrolled) + " enrolled", strconv.Itoa(d.count.Online) + " online at the start"}, parts...)
	}
	return strings.Join(parts, ", ")
}

// contributions counts the SuperNodes that were asked in a run, and those of them that gave a reply without an error.
func contributions(d runDetail) (asked, contributed int) {
	if d.run.State.Ended() {
		return d.run.Asked, d.run.Contributed
	}
	return d.count.Asked, d.count.Contributed
}

func contributedWords(d runDetail) string {
	asked, contributed := contributions(d)
	if asked == 0 {
		return "none asked"
	}
	return fmt.Sprintf("%d of %d contributed", contributed, asked)
}

// holderThen is who a participant was: their name and organisation then.
func holderThen(p domain.RunParticipant) string {
	if p.Organisation == "" {
		return p.Name
	}
	return p.Name + ", " + p.Organisation
}
