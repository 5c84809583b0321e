package watch

import (
	"encoding/json"
	"time"

	"blossomtune/internal/events"
	"blossomtune/internal/logfile"
	"blossomtune/internal/runs/report"
)

// LogNews tells viewers of new lines of a run's log. Lines are the newest ones and end with line Total; what comes before them, and
// was not told before, is for whoever wants it to fetch. It travels as JSON, made once for all who watch.
type LogNews struct {
	Total int            `json:"total"`
	Lines []logfile.Line `json:"lines"`
	Rate  int            `json:"rate,omitempty"` // lines a second; 0 while they come one by one
}

const (
	newsLines = 200                    // told at most; a viewer that follows needs no more of a flood
	floodGap  = 250 * time.Millisecond // between two news of a flood
	easy      = 800                    // lines a second that are told at once
)

// news gathers what is to be told: at once while lines come one by one, now and then in a flood.
type news struct {
	lines []logfile.Line // the newest, at most newsLines
	since int            // how many were added since the last news
	told  time.Time      // the last news
	spare float64        // lines that could be told at once then
}

func (n *news) add(lines []logfile.Line) {
	n.since += len(lines)
	n.lines = append(n.lines, lines...)
	if over := len(n.lines) - newsLines; over > 0 {
		n.lines = append([]logfile.Line(nil), n.lines[over:]...)
	}
}

// take returns what is to be told now, if anything is.
func (n *news) take(now time.Time) (LogNews, bool) {
	if n.since == 0 {
		return LogNews{}, false
	}
	past := now.Sub(n.told)
	spare := min(n.spare+easy*past.Seconds(), newsLines)
	flood := float64(n.since) > spare
	if flood && past < floodGap {
		return LogNews{}, false
	}
	out := LogNews{Total: n.lines[len(n.lines)-1].N, Lines: n.lines}
	if flood && past < time.Minute {
		out.Rate = int(float64(n.since) / past.Seconds())
	}
	n.spare = max(spare-float64(n.since), 0)
	n.since, n.lines, n.told = 0, nil, now
	return out, true
}

// tell publishes the news that are due.
func (t *tailer) tell() {
	out, due := t.news.take(t.s.Clock())
	if !due {
		return
	}
	text, err := json.Marshal(out)
	if err != nil {
		return // numbers and text: there is no such error
	}
	t.s.Reporter.Events.Publish(events.Event{Topic: report.RunTopic(t.run.ID), Kind: "log", Data: json.RawMessage(text)})
}
