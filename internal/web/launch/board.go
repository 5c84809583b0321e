package launch

import (
	"context"
	"net/url"
	"strconv"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// board is the go/no-go board beside the launch form.
type board struct {
	fed     domain.Federation
	verdict runs.Mark
	checks  []runs.Check
	wrong   int // fields of the form that have an error
}

// launchBoard is what the federation says of a launch, and what the form adds: the run that it is filled from, the app version, and its
// errors.
func (s *Pages) launchBoard(ctx context.Context, v *visit.Visit, from domain.Run, app string, wrong int) (board, error) {
	_, checks, err := s.Runs.Board(ctx, v.Fed.ID)
	if err != nil {
		return board{}, err
	}
	fed, err := s.Onboarding.FederationBySlug(ctx, v.Fed.Slug)
	if err != nil {
		return board{}, err
	}
	if c, changed := runs.TotalCheck(fed, from); changed {
		checks = append(checks, c)
	}
	if app != "" {
		all, err := s.Runs.Approvals(ctx, v.Fed.ID, app)
		if err != nil {
			return board{}, err
		}
		if c, asks := runs.ApprovalsCheck(all); asks {
			checks = append(checks, c)
		}
	}
	return board{fed: fed, verdict: runs.Verdict(checks), checks: checks, wrong: wrong}, nil
}

// fieldsWrong counts the fields to correct. What the board itself is against is not one of them.
func fieldsWrong(errs ui.FormErrors) int {
	n := len(errs)
	if _, against := errs["override"]; against {
		n--
	}
	return n
}

// tone is the board's verdict. A form with errors is no go yet, but its button stays: it is how a corrected form is sent.
func (b board) tone() ui.Tone {
	if b.wrong > 0 && b.verdict != runs.NoGo {
		return ui.Tone{Class: "is-warn", Icon: "warn", Word: "Not yet"}
	}
	return markTone(b.verdict)
}

func (b board) words() string {
	if b.wrong > 0 {
		return "Correct " + ui.Plural(b.wrong, "field", "fields") + " of the form first; " + boardWords(b.checks)
	}
	return boardWords(b.checks)
}

// events is where the page's news come from: the board goes on saying what the form adds to it.
func (l launchForm) events() string {
	q := url.Values{}
	if l.from.ID != 0 {
		q.Set("from", l.from.Name)
	}
	if l.app.Hash != "" {
		q.Set("app", l.app.Hash)
	}
	if l.board.wrong > 0 {
		q.Set("wrong", strconv.Itoa(l.board.wrong))
	}
	at := "/f/" + l.Fed.Slug + "/launch/events"
	if len(q) > 0 {
		at += "?" + q.Encode()
	}
	return at
}

func markTone(m runs.Mark) ui.Tone {
	switch m {
	case runs.Go:
		return ui.Tone{Class: "is-ok", Icon: "ok", Word: "Go"}
	case runs.Caution:
		return ui.Tone{Class: "is-warn", Icon: "warn", Word: "Go, with care"}
	}
	return ui.Tone{Class: "is-bad", Icon: "bad", Word: "No go"}
}
