package runs

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"
)

// doing is what a ServerApp's newest lines say that it does. The lines are flwr 1.42's (sample_nodes, dependency_installer).
type doing struct {
	progress   time.Time // when a line was seen that is more than waiting; zero before one was
	nodes      nodesWait
	installing bool
	installed  time.Time // when the launcher had installed its packages; zero: it has not
}

// nodesWait is a ServerApp's own word on the SuperNodes that it waits for; needed is 0 while it waits for none.
type nodesWait struct {
	needed, online int
	since          time.Time // with that many online; zero where it began before anybody watched
}

var waitsForNodes = regexp.MustCompile(`Waiting for nodes to connect: (\d+) connected \(minimum required: (\d+)\)`)

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
		if strings.TrimSpace(text) == "" {
			continue
		}
		d.nodes = nodesWait{}
		if !backlog {
			d.progress = now
		}
		switch {
		case strings.HasPrefix(text, "Installing application dependencies"):
			d.installing = true
		case strings.HasPrefix(text, "Application dependencies installed"): // by the launcher
			d.installing, d.installed = false, now
		case strings.HasPrefix(text, "uv sync took"), strings.HasPrefix(text, installFailed):
			d.installing = false
		}
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
