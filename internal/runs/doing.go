package runs

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"
)

// doing is what a ServerApp's newest lines say that it does. The lines are flwr 1.42's (sample_nodes, the older API's workflows,
// dependency_installer).
type doing struct {
	progress   time.Time // when a line was seen that is more than waiting; zero before one was
	nodes      nodesWait
	choosing   bool // the older API chooses SuperNodes: it waits for enough of them, and does not say so
	secure     bool // a round of secure aggregation is under way
	needs      *needs
	installing bool
	installed  time.Time // when the launcher had installed its packages; zero: it has not
}

// nodesWait is a ServerApp's own word on the SuperNodes that it waits for; needed is 0 while it waits for none.
type nodesWait struct {
	needed, online int
	since          time.Time // with that many online; zero where it began before anybody watched
}

var (
	waitsForNodes = regexp.MustCompile(`Waiting for nodes to connect: (\d+) connected \(minimum required: (\d+)\)`)
	olderRound    = regexp.MustCompile(`^\[ROUND \d+\]$`)
)

// secureBegins and secureEnds are what the workflows of secure aggregation say of a round.
const (
	secureBegins = "Secure aggregation commencing."
	secureEnds   = "Secure aggregation completed."
	secureHalts  = "Secure aggregation halted."
)

// read takes lines in. When a backlog was written is not known, so it is no progress of now.
func (d *doing) read(lines []logfile.Line, now time.Time, backlog bool) {
	if backlog {
		now = time.Time{}
	}
	for _, l := range lines {
		text := plain(l.Text)
		if m := waitsForNodes.FindStringSubmatch(text); m != nil {
			online, _ := strconv.Atoi(m[1]) // the pattern gives digits
			needed, _ := strconv.Atoi(m[2])
			if d.nodes.needed != needed || d.nodes.online != online {
				d.nodes = nodesWait{needed: needed, online: online, since: now}
			}
			continue
		}
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		d.nodes = nodesWait{}
		if !backlog {
			d.progress = now
		}
		d.choosing = chooses(text) || d.choosing && text == secureBegins
		d.line(text, now)
	}
}

// chooses reports whether the older API chooses SuperNodes after this line.
func chooses(text string) bool {
	return olderRound.MatchString(text) || text == "Requesting initial parameters from one random client" || strings.HasPrefix(text, "aggregate_fit: received ") || strings.HasPrefix(text, "fit progress: (")
}

func (d *doing) line(text string, now time.Time) {
	switch {
	case text == secureBegins:
		d.secure = true
	case text == secureEnds, text == secureHalts:
		d.secure = false
	case strings.HasPrefix(text, "Installing application dependencies"):
		d.installing = true
	case strings.HasPrefix(text, "Application dependencies installed"): // by the launcher
		d.installing, d.installed = false, now
	case strings.HasPrefix(text, "uv sync took"), strings.HasPrefix(text, installFailed):
		d.installing = false
	}
}

// doingOf returns what a run's log says that it does; nothing where it is not followed here.
func (s *Service) doingOf(run domain.Run) doing {
	s.mu.Lock()
	t := s.tailers[run.ID]
	s.mu.Unlock()
	if t == nil {
		return doing{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.doing
}
