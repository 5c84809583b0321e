package web

import (
	"fmt"
	"time"

	"blossomtune/internal/domain"
)

// startOf is when a run began to be worked on, or was queued.
func startOf(r domain.Run) time.Time {
	for _, t := range []time.Time{r.RunningAt, r.StartingAt} {
		if !t.IsZero() {
			return t
		}
	}
	return r.CreatedAt
}

// took is how long a run ran, "–" for one that did not begin.
func took(r domain.Run, now time.Time) string {
	from := startOf(r)
	switch {
	case r.StartingAt.IsZero() && r.RunningAt.IsZero():
		return "–"
	case r.EndedAt.IsZero():
		return span(now.Sub(from))
	}
	return span(r.EndedAt.Sub(from))
}

func leftWords(d time.Duration) string {
	if d < time.Minute {
		return about(d) + " left"
	}
	return "about " + about(d) + " left"
}

// untrainedWords says that nothing was trained in a run, and why as far as that is known.
func untrainedWords(r domain.Run) string {
	if r.Cause.Message != "" {
		return r.Cause.Message
	}
	return fmt.Sprintf("Nothing was trained: no participant of the %d that were asked gave a reply without an error.", r.Asked)
}

func roundText(r domain.Run) string {
	if r.EndedEarly() {
		return itoa(r.Round) // the rest was not wanted
	}
	if r.Rounds > 0 {
		return itoa(r.Round) + "/" + itoa(r.Rounds)
	}
	return itoa(r.Round)
}

// roundWords is roundText as a text of its own. A run that its app ended before the last round has lacked nothing.
func roundWords(r domain.Run) string {
	if r.EndedEarly() {
		return "ended after round " + itoa(r.Round) + " of " + itoa(r.Rounds)
	}
	return "round " + roundText(r)
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
		return roundWords(r)
	case r.Round == 0:
		return fmt.Sprintf("before round 1 of %d", r.Rounds)
	}
	return fmt.Sprintf("round %d of %d", r.Round, r.Rounds)
}

func leafDone(r domain.Run, i int) bool {
	return i+1 < r.Round || r.State == domain.Completed && i+1 <= r.Round
}

// partTone is what a participant did in a run.
func partTone(p domain.RunParticipant, ended bool) tone {
	t := tone{class: "is-off", icon: "free", word: "not asked"}
	switch {
	case !p.ContributedAt.IsZero():
		t = tone{class: "is-ok", icon: "ok", word: "contributed"}
		if !p.FailedAt.IsZero() {
			t.reason = "with errors"
		}
	case !p.FailedAt.IsZero():
		t = tone{class: "is-bad", icon: "bad", word: "failed"}
	case p.AskedAt.IsZero():
	case ended:
		t = tone{class: "is-warn", icon: "warn", word: "asked, no reply"}
	default:
		t = tone{class: "is-live", icon: "live", word: "asked", turn: true}
	}
	return t
}
