package home

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strings"

	"blossomtune/internal/domain"
	over "blossomtune/internal/overview"
	"blossomtune/internal/runs"
	"blossomtune/internal/web/live"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// homeView is the overview of all that somebody watches.
type homeView struct {
	over.Overview
	admin bool
	mails bool // mails go out
	needs []needLine
	steps []firstStep // to the first run; empty once one has completed
	form  newFederation
}

// home is the overview for who watches any federation. It reports false, and writes nothing, for who watches none.
func (s *Pages) home(w http.ResponseWriter, r *http.Request, v *visit.Visit) (bool, error) {
	h, err := s.homeOf(r.Context(), v)
	if err != nil || !v.Person.Admin && len(h.Feds) == 0 {
		return false, err
	}
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: "Overview", Nav: "home", Mid: true, Events: "/overview/events"}, homePage(h))
	return true, nil
}

func (s *Pages) homeOf(ctx context.Context, v *visit.Visit) (homeView, error) {
	o, err := s.Overview.Look(ctx, v.Person)
	h := homeView{Overview: o, admin: v.Person.Admin, mails: s.Outbox.Configured(), form: newFederation{partitions: "10"}}
	for _, n := range o.Needs {
		h.needs = append(h.needs, needLineOf(n))
	}
	if o.First && (h.admin || o.Manages()) {
		h.steps = firstSteps(o)
	}
	return h, err
}

// Events keeps the overview live.
func (s *Pages) Events(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	h, err := s.homeOf(r.Context(), v)
	if err != nil {
		return err
	}
	if !v.Person.Admin && len(h.Feds) == 0 {
		return visit.NoFederation()
	}
	topics, share, who := []string{live.MailTopic}, "", visit.SignedIn
	for _, f := range h.Feds {
		topics = append(topics, live.FederationTopics(f.ID)...)
	}
	if v.Person.Admin { // all of them see the same; who is no admin any more is sent to their own page
		share, who = "overview of admins", visit.Admin
	}
	return s.Live.Follow(w, r, who, v, live.View{
		Topics: topics,
		Share:  share,
		Poll:   live.PollActive,
		Look: func(ctx context.Context, v *visit.Visit) ([]live.Region, []live.Signal, error) {
			h, err := s.homeOf(ctx, v)
			return []live.Region{
				{ID: "head", Body: homeHead(h)},
				{ID: "steps", Body: homeSteps(h)},
				{ID: "needs", Body: homeNeeds(h)},
				{ID: "running", Body: homeRunning(h)},
				{ID: "feds", Body: homeFeds(h)},
			}, nil, err
		},
	})
}

// headline says how everything is, and whether it needs the visitor.
func (h homeView) headline() string {
	if len(h.steps) > 0 {
		return fmt.Sprintf("%d of %d steps to your first run", stepsDone(h.steps), len(h.steps))
	}
	how := "Healthy"
	if h.Down > 0 {
		how = ui.Plural(h.Down, "SuperLink is down", "SuperLinks are down")
	}
	n := len(h.Needs) + h.MoreNeeds
	switch {
	case !h.admin && !h.Manages():
		return how
	case n == 0:
		return how + ", nothing needs you"
	case n == 1:
		return how + ", 1 needs you"
	}
	return fmt.Sprintf("%s, %d need you", how, n)
}

// summary is the line under the headline.
func (h homeView) summary() string {
	if len(h.Feds) == 0 {
		return "A federation is a group of participants that train together, with a SuperLink of its own."
	}
	feds := ui.Plural(len(h.Feds), "federation", "federations")
	text := h.Nodes.Of(ui.Plural(h.Nodes.Good, "SuperNode", "SuperNodes")) + " in " + feds + "."
	if h.Nodes.Good == 0 {
		text = "No SuperNode yet in " + feds + "."
	}
	switch n := len(h.Running) + h.MoreRunning; n {
	case 0:
		return text + " Nothing runs."
	case 1:
		return text + " One run is under way."
	default:
		return fmt.Sprintf("%s %d runs are under way.", text, n)
	}
}

// needLine is a need as the page shows it, with its one action.
type needLine struct {
	need          over.Need
	tone          ui.Tone
	title, detail string
	href, act     string
	long          string // the action where it stands alone
}

func needLineOf(n over.Need) needLine {
	fed := "/f/" + n.Fed.Slug
	run := fed + "/runs/" + n.Run.Name
	l := needLine{need: n}
	switch n.Kind {
	case over.NeedSuperLink:
		l.tone = ui.SuperLinkTone(n.Fed.Link, n.Since)
		l.title, l.detail = "The SuperLink of "+n.Fed.Name+" "+superLinkWords(n.Fed.Link.State), n.Fed.Link.Reason
		l.href, l.act, l.long = fed, "Open", "Open "+n.Fed.Name
	case over.NeedRequests:
		what := ui.Plural(n.Fed.Pending, "request", "requests")
		l.tone, l.title, l.detail = ui.RequestTone(domain.Pending), what+" in "+n.Fed.Name, askersWords(n)
		l.href, l.act, l.long = fed+"/requests", "Review", "Review "+what
	case over.NeedFailure:
		l.tone, l.title, l.detail = ui.RunTone(n.Run), n.Run.Name+" failed in "+n.Fed.Name, n.Run.Cause.Message
		l.href, l.act, l.long = run, "See cause", "See why "+n.Run.Name+" failed"
		if n.Run.Outcome() == domain.NothingTrained {
			l.title, l.detail, l.long = "Nothing was trained by "+n.Run.Name+" in "+n.Fed.Name, ui.UntrainedWords(n.Run),
				"See why "+n.Run.Name+" trained nothing"
		}
	case over.NeedRun:
		l.tone, l.title, l.detail = ui.WaitTone(n.Run, n.Wait.What, n.Wait.Since, n.Wait.Late), n.Run.Name+" waits in "+n.Fed.Name, n.Wait.What
		l.href, l.act, l.long = run, "See run", "See what "+n.Run.Name+" waits for"
	case over.NeedNodes:
		l.tone = ui.Tone{Class: "is-warn", Icon: "warn", Word: "offline"}
		l.title, l.detail = fmt.Sprintf("%s of %s went offline", ui.Plural(len(n.Partitions), "SuperNode", "SuperNodes"), n.Run.Name),
			partitionWords(n.Partitions)+" in "+n.Fed.Name
		l.href, l.act, l.long = fed+"/nodes", "See SuperNodes", "See SuperNodes of "+n.Fed.Name
	case over.NeedConnect:
		who := ui.Plural(n.People, "person", "people")
		l.tone = ui.Tone{Class: "is-warn", Icon: "warn", Word: "not connected"}
		l.title, l.detail = who+" approved in "+n.Fed.Name+" never connected", absentWords(n)
		l.href, l.act, l.long = fed+"/requests?state=approved", "See who", "See who never connected to "+n.Fed.Name
	case over.NeedMail:
		l.tone = ui.MailTone(domain.MailDead)
		l.title, l.detail = ui.Plural(n.Mails, "mail did not go out", "mails did not go out"),
			map[bool]string{true: "Its recipient has not heard of it.", false: "Their recipients have not heard of them."}[n.Mails == 1]
		l.href, l.act, l.long = "/admin/mail", "See mails", "See mails that did not go out"
	}
	return l
}

func superLinkWords(s domain.SuperLinkState) string {
	if s == domain.SuperLinkFailed {
		return "has failed"
	}
	return "is " + string(s)
}

// askersWords says who waits, and whether there is room for them.
func askersWords(n over.Need) string {
	who := n.Names
	more := n.Fed.Pending - len(who)
	text := strings.Join(who, ", ")
	switch {
	case more > 0:
		text += fmt.Sprintf(" and %d more want to join", more)
	case len(who) == 1:
		text += " wants to join"
	case len(who) > 1:
		text = strings.Join(who[:len(who)-1], ", ") + " and " + who[len(who)-1] + " want to join"
	}
	switch free := n.Fed.Free(); free {
	case 0:
		return text + "; no partition is free"
	case 1:
		return text + "; 1 partition is free"
	default:
		return fmt.Sprintf("%s; %d partitions are free", text, free)
	}
}

// oldest reports whether a need is of several people, so that its time is that of the first.
func (l needLine) oldest() bool {
	return l.need.Kind == over.NeedRequests && l.need.Fed.Pending > 1 || l.need.Kind == over.NeedConnect && l.need.People > 1
}

// absentWords names who has not connected, and what helps.
func absentWords(n over.Need) string {
	names := strings.Join(n.Names, ", ")
	if more := n.People - len(n.Names); more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	return names + ": write to them, or revoke their access so that others can have the partitions"
}

// partitionWords names some partitions.
func partitionWords(list []int) string {
	const named = 8
	words := make([]string, 0, named)
	for _, p := range list[:min(len(list), named)] {
		words = append(words, ui.Itoa(p))
	}
	switch {
	case len(list) == 1:
		return "partition " + words[0]
	case len(list) > named:
		return fmt.Sprintf("partitions %s and %d more", strings.Join(words, ", "), len(list)-named)
	}
	return "partitions " + strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// sparkPath draws a trend into a box of 88 by 24, and says where its last point is. Values that are no numbers leave a gap.
func sparkPath(t runs.Trend) (path string, x, y float64) {
	low, high := math.Inf(1), math.Inf(-1)
	for _, p := range t.Points {
		if !odd(p.Value) {
			low, high = min(low, p.Value), max(high, p.Value)
		}
	}
	if len(t.Points) == 0 || math.IsInf(low, 1) {
		return "", 0, 0
	}
	first, last := t.Points[0].Round, t.Points[len(t.Points)-1].Round
	var b strings.Builder
	pen := "M"
	for _, p := range t.Points {
		if odd(p.Value) {
			pen = "M"
			continue
		}
		x, y = 86, 12
		if last > first {
			x = 2 + 84*float64(p.Round-first)/float64(last-first)
		}
		if high > low {
			y = 21 - 18*(p.Value/2-low/2)/(high/2-low/2) // halves: the difference may be beyond what a number holds
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", pen, x, y)
		pen = "L"
	}
	return b.String(), x, y
}

func odd(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }
