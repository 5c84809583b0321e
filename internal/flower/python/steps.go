package python

import (
	"fmt"
	"regexp"
	"sync"
	"time"
)

// stepEvery is how often somebody who waits is told that the installation goes on.
const stepEvery = 10 * time.Second

// packageLine is a line in which pip or uv begins with one more package.
var packageLine = regexp.MustCompile(`^(?:Collecting|Requirement already satisfied:|Downloading \S+(?: \(.*\))?$) ?`)

// steps tells of an installation in short lines, whatever the installer prints.
type steps struct {
	tell     func(string)
	mu       sync.Mutex
	packages int
	stop     chan struct{}
	stopped  chan struct{}
}

func newSteps(tell func(string)) *steps {
	s := &steps{tell: tell, stop: make(chan struct{}), stopped: make(chan struct{})}
	go s.run(time.Now())
	return s
}

func (s *steps) run(began time.Time) {
	defer close(s.stopped)
	tick := time.NewTicker(stepEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case now := <-tick.C:
			s.mu.Lock()
			n := s.packages
			s.mu.Unlock()
			words := fmt.Sprintf("still installing after %d s", int(now.Sub(began).Seconds()))
			if n > 0 {
				words += fmt.Sprintf(", %d packages so far", n)
			}
			s.tell(words)
		}
	}
}

// line takes a line of the installer's output.
func (s *steps) line(text string) {
	if packageLine.MatchString(text) {
		s.mu.Lock()
		s.packages++
		s.mu.Unlock()
	}
}

func (s *steps) end() {
	close(s.stop)
	<-s.stopped
}
