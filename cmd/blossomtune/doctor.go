package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"blossomtune/internal/agent"
	"blossomtune/internal/doctor"
	"blossomtune/internal/domain"
	"blossomtune/internal/keeper/contain"
)

// Exit codes of doctor. 0 means that no problem was found.
const (
	exitWarning = 3
	exitFailure = 4
)

// offClock is how far a participant's clock may differ from the server's before doctor warns. The server rejects signatures that are more
// than 300 s old or 5 s ahead. The agent corrects for clock differences; a plain SuperNode does not.
const offClock = 5 * time.Second

// machineFlags are the flags of doctor about federations that this machine has joined.
type machineFlags struct {
	URL  string `arg:"" optional:"" help:"Address of a server that this machine joined; needed where it joined several."`
	Dir  string `help:"Directory of this machine's key, state and ledger. Default: below ~/.blossomtune." type:"path"`
	JSON bool   `help:"Print JSON." name:"json"`
}

// place is a checked server or machine with its findings.
type place struct {
	Place    string           `json:"place"`
	Findings []doctor.Finding `json:"findings"`
}

// places checks the federations that this machine has joined. None is an error only where one was named.
func (c machineFlags) places(ctx context.Context) ([]place, error) {
	machines, err := agent.Machines(c.Dir, c.URL)
	if err != nil && (domain.CodeOf(err) != domain.NotFound || c.Dir != "" || c.URL != "") {
		return nil, err
	}
	var out []place
	for _, m := range machines {
		out = append(out, place{fmt.Sprintf("%s (%s), partition %d", m.Name, m.Server, m.Partition), machineFindings(ctx, m)})
	}
	return out, nil
}

// report prints the findings and returns the exit code as an error.
func report(w io.Writer, places []place, asJSON bool) error {
	var all []doctor.Finding
	for _, p := range places {
		all = append(all, p.Findings...)
	}
	if asJSON {
		if err := printJSON(places); err != nil {
			return err
		}
	} else {
		for _, p := range places {
			printFindings(w, p.Place, p.Findings)
		}
	}
	return exitOf(all)
}

// printFindings prints findings below a title.
func printFindings(w io.Writer, title string, findings []doctor.Finding) {
	fmt.Fprintln(w, printable(title))
	for _, f := range findings {
		fmt.Fprintf(w, "  %-8s %-15s %s\n", f.State, f.Part, printable(f.Says))
		if f.Remedy != "" {
			fmt.Fprintf(w, "  %-8s %-15s %s\n", "", "", printable(f.Remedy))
		}
	}
}

// exitOf returns the exit code of findings as an error; nil without problems.
func exitOf(all []doctor.Finding) error {
	switch doctor.Worst(all) {
	case doctor.Failure:
		return withExit{errQuiet, exitFailure}
	case doctor.Warning:
		return withExit{errQuiet, exitWarning}
	}
	return nil
}

// machineFindings checks one federation that this machine has joined.
func machineFindings(ctx context.Context, m agent.Machine) []doctor.Finding {
	s, err := statusOf(m)
	if err != nil {
		return []doctor.Finding{doctor.Bad("agent", "Join again, or set --dir to another directory.", "The agent's state cannot be read: %v",
			err)}
	}
	out := append([]doctor.Finding{agentFinding(s)}, serverFindings(ctx, m.Server)...)
	switch r := contain.Check(); {
	case s.Running && s.Agent.Contained == string(domain.ContainmentOff):
		out = append(out, doctor.Warn("containment", "Start the agent without --contain=off.",
			"Containment is off: apps can read everything that your account can read."))
	case !r.Floor():
		out = append(out, doctor.Warn("containment", "Run the agent on Linux 6.12 or newer.", "Apps cannot be contained on this machine: %s",
			r.Reason))
	default:
		out = append(out, doctor.Good("containment", "Apps are contained (%s).", r.Level()))
	}
	switch {
	case s.Problem != "":
		out = append(out, doctor.Bad("approvals", "Fix the file named in the message. No app runs until then.", "%s", s.Problem))
	case s.Waiting > 0:
		out = append(out, doctor.Warn("approvals", "List them with blossomtune apps.", "%d app versions are waiting for your approval.",
			s.Waiting))
	default:
		out = append(out, doctor.Good("approvals", "No app versions are waiting (--approve %s).", s.Approve))
	}
	if s.Broken != "" {
		return append(out, doctor.Bad("ledger", "Keep the file as evidence. Run blossomtune ledger to see where the chain breaks.", "%s",
			s.Broken))
	}
	return append(out, doctor.Good("ledger", "The ledger is intact (%d entries).", s.Entries))
}

func agentFinding(s machineStatus) doctor.Finding {
	switch {
	case !s.Running:
		return doctor.Bad("agent", "Start it with blossomtune join, or as a service.", "The agent is not running: %s", s.Agent.Why)
	case s.Agent.Suspended != "":
		return doctor.Warn("agent", "Ask the federation's managers.", "A manager has suspended this SuperNode: %s", s.Agent.Suspended)
	case !s.Agent.Connected:
		return doctor.Bad("agent", "Check the connection below.", "The agent is not connected: %s", s.Agent.Why)
	}
	return doctor.Good("agent", "Connected as SuperNode %s.", s.NodeID)
}

// serverFindings checks that the server can be reached and that the clocks agree. Nothing relies on the answer, so the certificate is not
// verified here; the agent verifies it against the pin in its token.
func serverFindings(ctx context.Context, server string) []doctor.Finding {
	u, err := url.Parse(server)
	if err != nil {
		return []doctor.Finding{doctor.Bad("connection", "Join again.", "%q is not a valid server address.", server)}
	}
	addr := net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), map[string]string{"http": "80"}[u.Scheme], "443"))
	at, err := serverTime(ctx, u)
	if err != nil {
		return []doctor.Finding{doctor.Bad("connection",
			"Check the network and firewall. This machine needs outgoing connections to that address only.", "%s cannot be reached.", addr)}
	}
	out := []doctor.Finding{doctor.Good("connection", "%s answers.", addr)}
	off := time.Since(at).Truncate(time.Second)
	if at.IsZero() || off.Abs() <= offClock {
		return append(out, doctor.Good("clock", "The clock agrees with the server's."))
	}
	return append(out, doctor.Warn("clock",
		"Synchronize the clock with NTP. The agent corrects for the difference; plain Flower does not.",
		"The clock differs from the server's by %s.", off))
}

// serverTime returns the time of a server; zero where it does not say.
func serverTime(ctx context.Context, u *url.URL) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, u.JoinPath("healthz").String(), nil)
	if err != nil {
		return time.Time{}, err
	}
	res, err := doctor.Unverified().Do(req)
	if err != nil {
		return time.Time{}, err
	}
	defer res.Body.Close()
	at, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		return time.Time{}, nil // a server need not report its time
	}
	return at, nil
}
