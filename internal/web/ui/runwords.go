package ui

import (
	"fmt"
	"time"

	"blossomtune/internal/domain"
)

// StartOf is when a run began to be worked on, or was queued.
func StartOf(r domain.Run) time.Time {
	for _, t := range []time.Time{r.RunningAt, r.StartingAt} {
		if !t.IsZero() {
			return t
		}
	}
	return r.CreatedAt
}

// Took is how long a run ran, "–" for one that did not begin.
func Took(r domain.Run, now time.Time) string {
	from := StartOf(r)
	switch {
	case r.StartingAt.IsZero() && r.RunningAt.IsZero():
		return "–"
	case r.EndedAt.IsZero():
		return Span(now.Sub(from))
	}
	return Span(r.EndedAt.Sub(from))
}

// LeftWords says how long something will still take.
func LeftWords(d time.Duration) string {
	if d < time.Minute {
		return About(d) + " left"
	}
	return "about " + About(d) + " left"
}

// UntrainedWords says that nothing was trained in a run, and why as far as that is known.
func UntrainedWords(r domain.Run) string {
	if r.Cause.Message != "" {
		return r.Cause.Message
	}
	return fmt.Sprintf("Nothing was trained: no participant of the %d that were asked gave a reply without an error.", r.Asked)
}

// RoundText says which round a run is in, short enough for a table.
func RoundText(r domain.Run) string {
	if r.EndedEarly() {
		return Itoa(r.Round) // the rest was not wanted
	}
	if r.Rounds > 0 {
		return Itoa(r.Round) + "/" + Itoa(r.Rounds)
	}
	return Itoa(r.Round)
}

// RoundWords is roundText as a text of its own. A run that its app ended before the last round has lacked nothing.
func RoundWords(r domain.Run) string {
	if r.EndedEarly() {
		return "ended after round " + Itoa(r.Round) + " of " + Itoa(r.Rounds)
	}
	return "round " + RoundText(r)
}

// leaves is how many rounds a run's progress is drawn with: none where it ended without any.
func leaves(r domain.Run) int {
	switch {
	case r.EndedEarly():
		return r.Round // nothing is missing
	case r.Round == 0 && r.State.Ended():
		return 0
	}
	return r.Rounds
}

func leafWords(r domain.Run) string {
	switch {
	case r.EndedEarly():
		return RoundWords(r)
	case r.Round == 0:
		return fmt.Sprintf("before round 1 of %d", r.Rounds)
	}
	return fmt.Sprintf("round %d of %d", r.Round, r.Rounds)
}

func leafDone(r domain.Run, i int) bool {
	return i+1 < r.Round || r.State == domain.Completed && i+1 <= r.Round
}

// PartTone is what a participant did in a run.
func PartTone(p domain.RunParticipant, ended bool) Tone {
	t := Tone{Class: "is-off", Icon: "free", Word: "not asked"}
	switch {
	case !p.ContributedAt.IsZero():
		t = Tone{Class: "is-ok", Icon: "ok", Word: "contributed"}
		if !p.FailedAt.IsZero() {
			t.Reason = "with errors"
		}
	case !p.FailedAt.IsZero():
		t = Tone{Class: "is-bad", Icon: "bad", Word: "failed"}
	case p.AskedAt.IsZero():
	case ended:
		t = Tone{Class: "is-warn", Icon: "warn", Word: "asked, no reply"}
	default:
		t = Tone{Class: "is-live", Icon: "live", Word: "asked", Turn: true}
	}
	return t
}
