package home

import (
	"blossomtune/internal/domain"
	over "blossomtune/internal/overview"
	"blossomtune/internal/web/ui"
)

// firstStep is a step on the way from an empty server to the first completed run. Nothing of it is kept: what is there says how far
// somebody has come, so it is taken up again wherever they left it.
type firstStep struct {
	name, how string
	href, act string // empty where nothing is to be done here
	does      bool   // the address does it, and is posted to
	done      bool
}

// firstSteps are the steps of the federation that has come furthest.
func firstSteps(o over.Overview) (best []firstStep) {
	best = stepsOf(nil)
	for i := range o.Feds {
		if f := &o.Feds[i]; f.Manager() {
			if steps := stepsOf(f); stepsDone(steps) > stepsDone(best) {
				best = steps
			}
		}
	}
	return best
}

func stepsDone(steps []firstStep) (n int) {
	for _, s := range steps {
		if s.done {
			n++
		}
	}
	return n
}

// nextStep is the first that is not done.
func nextStep(steps []firstStep) int {
	for i, s := range steps {
		if !s.done {
			return i
		}
	}
	return len(steps)
}

func stepsOf(f *over.Fed) []firstStep {
	steps := []firstStep{
		{name: "Make a federation", how: "A group of participants that train together."},
		{name: "Start its SuperLink", how: "Flower's server for it. The first start takes about a minute."},
		{name: "Let someone in", how: "They ask at its page or by your invitation; you give them a partition."},
		{name: "See a SuperNode online", how: "Whoever is in runs one command on the machine with the data. Their own page has it."},
		{name: "Launch the first run", how: "Choose an app and how many rounds. It takes about a minute."},
	}
	if f == nil {
		return steps
	}
	fed := "/f/" + f.Slug
	up := f.Link.State != domain.SuperLinkStopped && f.Link.State != domain.SuperLinkFailed || f.Link.Idle
	steps[0].name, steps[0].done = f.Name+" is made", true
	steps[1].href, steps[1].act, steps[1].does, steps[1].done = fed+"/superlink/start", "Start SuperLink", true, up
	steps[2].href, steps[2].act, steps[2].done = fed+"/invites", "Invite", f.Held > 0
	if f.Pending > 0 {
		steps[2].how, steps[2].href, steps[2].act = ui.Plural(f.Pending, "person waits", "people wait")+" for your answer.", fed+"/requests",
			"Review"
	}
	steps[3].href, steps[3].act, steps[3].done = fed+"/nodes", "See SuperNodes", f.Nodes.Online > 0
	steps[4].href, steps[4].act = fed+"/launch", "Launch run"
	if len(f.Running)+f.Queued > 0 {
		steps[4].how, steps[4].href, steps[4].act = "It is under way.", fed+"/runs", "See runs"
	}
	return steps
}
