package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"blossomtune/internal/agent"
	"blossomtune/internal/agent/approval"
	"blossomtune/internal/agent/ledger"
	"blossomtune/internal/domain"
)

// Exit codes of status, besides 0 where all agents are connected.
const (
	exitNotConnected = 3
	exitNotRunning   = 4
)

type statusCmd struct {
	whichFlags
	JSON bool `help:"Print JSON."`
}

// machineStatus is what status says of one federation.
type machineStatus struct {
	agent.Machine
	Running bool            `json:"running"`
	Agent   agent.Status    `json:"agent"`
	Approve approval.Policy `json:"approve"`
	Problem string          `json:"problem,omitempty"` // why no app runs
	Waiting int             `json:"waiting"`           // app versions
	Entries int64           `json:"ledger_entries"`
	Last    []ledger.Entry  `json:"ledger_last"`
	Rounds  []ledger.Round  `json:"ledger_rounds"` // the newest last
	Broken  string          `json:"ledger_problem,omitempty"`
}

// Run tells how each agent on this machine is.
func (c *statusCmd) Run() error {
	all, err := agent.Machines(c.Dir, c.URL)
	if err != nil {
		return err
	}
	out := make([]machineStatus, 0, len(all))
	code := 0
	for _, m := range all {
		s, err := statusOf(m)
		if err != nil {
			return err
		}
		out = append(out, s)
		switch {
		case !s.Running:
			code = exitNotRunning
		case (!s.Agent.Connected || s.Agent.Suspended != "") && code == 0:
			code = exitNotConnected
		}
	}
	if c.JSON {
		if err := printJSON(out); err != nil {
			return err
		}
	} else {
		for _, s := range out {
			s.print()
		}
	}
	if code != 0 {
		return withExit{errQuiet, code}
	}
	return nil
}

// errQuiet sets the exit code of a command that has said everything.
var errQuiet = errors.New("")

// How many entries and rounds of the ledger status shows.
const (
	lastEntries = 3
	lastRounds  = 5
)

func statusOf(m agent.Machine) (machineStatus, error) {
	s := machineStatus{Machine: m, Running: m.Running(), Last: []ledger.Entry{}}
	var err error
	if s.Agent, err = m.Status(); err != nil {
		return s, err
	}
	if s.Approve, err = m.Policy(); err != nil {
		s.Problem = err.Error()
	}
	apps, err := m.Apps()
	if err != nil {
		s.Problem = err.Error()
	}
	for _, a := range apps {
		if a.State == approval.Waiting {
			s.Waiting++
		}
	}
	rounds := ledger.Rounds{Most: lastRounds}
	head, err := ledger.Check(m.Dir, func(e ledger.Entry) error {
		rounds.Add(e)
		e.Objects, e.Records = nil, e.Records[:min(len(e.Records), 20)]
		if s.Last = append(s.Last, e); len(s.Last) > lastEntries {
			s.Last = s.Last[1:]
		}
		return nil
	})
	if err != nil {
		s.Broken = err.Error()
	}
	s.Entries, s.Rounds = head.N, rounds.All()
	return s, nil
}

// roundLine sums up what a round sent.
func roundLine(r ledger.Round) string {
	out := cmp.Or(r.RunName, r.Run)
	if r.Round != "" {
		out += ", round " + r.Round
	}
	out += fmt.Sprintf(": %d replies, %d errors, %s", r.Replies, r.Errors, size(r.Bytes))
	var kinds []string
	for _, k := range r.Kinds {
		kinds = append(kinds, k.Kind+" "+size(k.Bytes))
	}
	if len(kinds) > 0 {
		out += " (" + strings.Join(kinds, ", ") + ")"
	}
	return printable(out)
}

func (s machineStatus) print() {
	row := func(name, format string, args ...any) { fmt.Printf("  %-12s %s\n", name, fmt.Sprintf(format, args...)) }
	fmt.Printf("%s (%s), partition %d of %d\n", s.Name, s.Server, s.Partition, s.Partitions)
	switch {
	case !s.Running:
		row("agent", "does not run: %s", s.Agent.Why)
	case s.Agent.Suspended != "":
		row("agent", "suspended by a manager: %s", s.Agent.Suspended)
	case s.Agent.Connected:
		row("agent", "connected since %s as SuperNode %s", s.Agent.Since.Local().Format(time.DateTime), s.NodeID)
	default:
		row("agent", "not connected since %s: %s", s.Agent.Since.Local().Format(time.DateTime), s.Agent.Why)
	}
	for _, w := range s.Agent.Working {
		run := w.Name
		if run == "" {
			run = fmt.Sprint(w.Run)
		}
		if w.Round != "" {
			run += ", round " + w.Round
		}
		row("runs now", "%s: %s, since %s", run, printable(w.Type), w.Since.Local().Format(time.TimeOnly))
	}
	switch {
	case s.Problem != "":
		row("approvals", "no app runs: %s", s.Problem)
	case s.Waiting > 0:
		row("approvals", "%s; %d app versions wait: blossomtune apps", s.Approve, s.Waiting)
	default:
		row("approvals", "%s; nothing waits", s.Approve)
	}
	if s.Broken != "" {
		row("ledger", "was changed: %s", s.Broken)
	} else {
		row("ledger", "%d entries", s.Entries)
	}
	for i, r := range s.Rounds {
		row([]string{"last rounds", ""}[min(i, 1)], "%s", roundLine(r))
	}
	for _, e := range s.Last {
		row("", "%s", strings.TrimSpace(entryLine(e)))
	}
	if words := domain.Containment(s.Agent.Contained).Words(); words != "" {
		row("apps run", "%s", words)
	}
	if s.Agent.Newer != "" {
		row("update", "the server has version %s: blossomtune update", printable(s.Agent.Newer))
	}
	row("versions", "agent %s, flwr %s, Python %s", s.Agent.Agent, s.Agent.Flwr, s.Agent.Python)
}
