package applog

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/logfile"
)

// Doing is what a ServerApp's newest lines say that it does. The lines are flwr 1.42's (sample_nodes, the older API's workflows,
// dependency_installer).
type Doing struct {
	Progress   time.Time // when a line was seen that is more than waiting; zero before one was
	Nodes      NodesWait
	Choosing   bool // the older API chooses SuperNodes: it waits for enough of them, and does not say so
	Secure     bool // a round of secure aggregation is under way
	Installing bool
	Installed  time.Time // when the launcher had installed its packages; zero: it has not
}

// NodesWait is a ServerApp's own word on the SuperNodes that it waits for; Needed is 0 while it waits for none.
type NodesWait struct {
	Needed, Online int
	Since          time.Time // with that many online; zero where it began before this server read the log
}

var (
	waitsForNodes = regexp.MustCompile(`Waiting for nodes to connect: (\d+) connected \(minimum required: (\d+)\)`)
	olderRound    = regexp.MustCompile(`^\[ROUND \d+\]$`)
)

// InstallFailed begins the launcher's last line on packages that it could not install.
const InstallFailed = "Installing application dependencies failed: "

// SecureBegins and SecureEnds are what the workflows of secure aggregation say of a round.
const (
	SecureBegins = "Secure aggregation commencing."
	SecureEnds   = "Secure aggregation completed."
	secureHalts  = "Secure aggregation halted."
)

// Read takes lines in. When a backlog was written is not known, so it does not count as progress now.
func (d *Doing) Read(lines []logfile.Line, now time.Time, backlog bool) {
	if backlog {
		now = time.Time{}
	}
	for _, l := range lines {
		text := Plain(l.Text)
		if m := waitsForNodes.FindStringSubmatch(text); m != nil {
			online, _ := strconv.Atoi(m[1]) // the pattern gives digits
			needed, _ := strconv.Atoi(m[2])
			if d.Nodes.Needed != needed || d.Nodes.Online != online {
				d.Nodes = NodesWait{Needed: needed, Online: online, Since: now}
			}
			continue
		}
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		d.Nodes = NodesWait{}
		if !backlog {
			d.Progress = now
		}
		d.Choosing = chooses(text) || d.Choosing && text == SecureBegins
		d.line(text, now)
	}
}

// chooses reports whether the older API chooses SuperNodes after this line.
func chooses(text string) bool {
	return olderRound.MatchString(text) || text == "Requesting initial parameters from one random client" ||
		strings.HasPrefix(text, "aggregate_fit: received ") || strings.HasPrefix(text, "fit progress: (")
}

func (d *Doing) line(text string, now time.Time) {
	switch {
	case text == SecureBegins:
		d.Secure = true
	case text == SecureEnds, text == secureHalts:
		d.Secure = false
	case strings.HasPrefix(text, "Installing application dependencies"):
		d.Installing = true
	case strings.HasPrefix(text, "Application dependencies installed"): // by the launcher
		d.Installing, d.Installed = false, now
	case strings.HasPrefix(text, "uv sync took"), strings.HasPrefix(text, InstallFailed):
		d.Installing = false
	}
}
