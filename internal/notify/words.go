package notify

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

const maxText = 600 // of a cause or remedy, in bytes

// headline is a notice in a line.
func headline(v item) string {
	f := v.Notice.Facts
	in := " in " + v.fed.Name
	switch v.Notice.Kind {
	case domain.NoticeRunStarted, domain.NoticeRunCompleted, domain.NoticeRunFailed, domain.NoticeRunStopped:
		return f.Run.Name + " " + strings.TrimPrefix(string(v.Notice.Kind), "run_") + in
	case domain.NoticeNothingTrained:
		return "Nothing was trained: " + f.Run.Name + in
	case domain.NoticeRequests:
		return counted(f.People, "request", "requests") + in + " to review"
	case domain.NoticeOverdue:
		return counted(f.People, "request", "requests") + in + " waiting for more than " + lasting(f.After)
	case domain.NoticeOffline:
		return counted(f.People, "SuperNode", "SuperNodes") + " offline" + in
	case domain.NoticeUnconnected:
		return counted(f.People, "participant", "participants") + " never connected" + in
	case domain.NoticeTest:
		return "Test notification"
	}
	return v.Notice.Kind.Label()
}

// text is a notice in full, with its link. It names participants: it is for people who may see them.
func (s *Service) text(v item) string {
	paragraphs := append([]string{headline(v) + "."}, s.told(v, true)...)
	return strings.Join(append(paragraphs, "    "+s.link(v)), "\n\n")
}

// told are the paragraphs between headline and link.
func (s *Service) told(v item, names bool) []string {
	f := v.Notice.Facts
	switch {
	case f.Run != nil:
		return runWords(*f.Run, names)
	case f.Text != "":
		return append([]string{f.Text}, why("", f.Remedy)...)
	case v.Notice.Kind == domain.NoticeOffline:
		return []string{"Offline for more than " + lasting(f.After) + ": " + listed(f.Nodes, f.People, names) + "."}
	case v.Notice.Kind == domain.NoticeUnconnected:
		return []string{"Approved more than " + lasting(f.After) + " ago: " + listed(f.Nodes, f.People, names) + "."}
	case v.Notice.Kind == domain.NoticeOverdue && names:
		return []string{"Waiting: " + people(f.Nodes, f.People) + "."}
	}
	return nil
}

// people are the names of the first of some people who have no partition, and how many there are besides.
func people(first []domain.NoticeNode, n int) string {
	var out []string
	for _, v := range first {
		out = append(out, oneLine(v.Name))
	}
	if more := n - len(first); more > 0 {
		out = append(out, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(out, ", ")
}

// link is the page on which a notice is about.
func (s *Service) link(v item) string {
	base := s.PublicURL()
	if v.fed.ID == 0 {
		return base + "/admin/system"
	}
	base += "/f/" + v.fed.Slug
	switch {
	case v.Notice.Facts.Run != nil:
		return base + "/runs/" + url.PathEscape(v.Notice.Facts.Run.Name)
	case v.Notice.Kind == domain.NoticeRequests, v.Notice.Kind == domain.NoticeOverdue:
		return base + "/requests"
	case v.Notice.Kind == domain.NoticeOffline:
		return base + "/nodes?state=offline"
	case v.Notice.Kind == domain.NoticeUnconnected:
		return base + "/nodes"
	}
	return base
}

func runWords(r domain.NoticeRun, names bool) []string {
	facts := []string{"App: " + r.App + " " + r.AppVersion}
	switch {
	case r.Rounds > 0:
		facts = append(facts, fmt.Sprintf("Rounds: %d of %d", r.Round, r.Rounds))
	case r.Round > 0:
		facts = append(facts, fmt.Sprintf("Rounds: %d", r.Round))
	}
	if r.State.Ended() {
		facts = append(facts, "Participants: "+contributors(r, names))
	}
	if took := r.EndedAt.Sub(r.StartedAt); !r.StartedAt.IsZero() && took > 0 {
		facts = append(facts, "Duration: "+lasting(took.Round(time.Second)))
	}
	return append([]string{strings.Join(facts, "\n")}, why(r.Cause, r.Remedy)...)
}

func contributors(r domain.NoticeRun, names bool) string {
	switch {
	case r.Asked == 0:
		return "none was asked."
	case r.Contributed == 0:
		return fmt.Sprintf("%d asked, none contributed.", r.Asked)
	case len(r.Who) == 0:
		return fmt.Sprintf("%d of %d contributed.", r.Contributed, r.Asked)
	}
	return fmt.Sprintf("%d of %d contributed: %s.", r.Contributed, r.Asked, listed(r.Who, r.Contributed, names))
}

// listed names the first of some participants and counts the rest.
func listed(first []domain.NoticeNode, n int, names bool) string {
	var out []string
	for _, v := range first {
		word := "partition " + strconv.Itoa(v.Partition)
		if v.Partition < 0 {
			word = "an unknown partition"
		}
		if names && v.Name != "" {
			word += " (" + oneLine(v.Name) + ")"
		}
		out = append(out, word)
	}
	if more := n - len(first); more > 0 {
		out = append(out, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(out, ", ")
}

func why(cause, remedy string) []string {
	var lines []string
	if cause != "" {
		lines = append(lines, "What happened: "+domain.Cut(oneLine(cause), maxText))
	}
	if remedy != "" {
		lines = append(lines, "What to do: "+domain.Cut(oneLine(remedy), maxText))
	}
	if len(lines) == 0 {
		return nil
	}
	return []string{strings.Join(lines, "\n")}
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// lasting is a duration in the largest units that tell it: "3 d", "1 h 5 min", "42 s".
func lasting(d time.Duration) string {
	switch {
	case d >= 48*time.Hour && d%(24*time.Hour) == 0:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d >= time.Hour && d%time.Hour < time.Minute:
		return counted(int(d/time.Hour), "hour", "hours")
	case d >= time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute && d%time.Minute < time.Second:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
