// Package engines is what the surfaces and the runs do with federations' SuperLinks: start, stop, choose, read logs, hand over runs.
// How a SuperLink runs is not here, but in flower/engine.
package engines

import (
	"context"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/engine"
	"blossomtune/internal/logfile"
	"blossomtune/internal/nodelogs"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/runs"
	"blossomtune/internal/safely"
)

// Topic is the topic of the events of a federation's SuperLink: kind "state".
func Topic(fedID int64) string { return "engine:" + strconv.FormatInt(fedID, 10) }

// Options are the parts of a [Service].
type Options struct {
	Manager    *engine.Manager
	Onboarding *onboarding.Service
	Runs       *runs.Service
	NodeLogs   *nodelogs.Logs
	Jobs       *safely.Jobs
	Default    domain.Engine // of federations that have chosen none
	Log        *slog.Logger
}

// Service is what the surfaces do with SuperLinks. It is safe for concurrent use.
type Service struct {
	o Options

	logsMu sync.Mutex
	logs   map[string]*logfile.File // by path; each keeps its index
}

// New returns the service over its parts.
func New(o Options) *Service { return &Service{o: o} }

// Start keeps the federation's SuperLink up from now on.
func (s *Service) Start(ctx context.Context, actor domain.Actor, fedID int64) error {
	if _, err := s.o.Onboarding.WantEngine(ctx, actor, fedID, true); err != nil {
		return err
	}
	s.o.Manager.Start(fedID)
	return nil
}

// stopLimit is how long runs may take to end before the SuperLink goes.
const stopLimit = 30 * time.Second

// Stop ends the federation's runs, then its SuperLink, in the background: [Service.Status] tells when it has stopped.
func (s *Service) Stop(ctx context.Context, actor domain.Actor, fedID int64) error {
	if _, err := s.o.Onboarding.WantEngine(ctx, actor, fedID, false); err != nil {
		return err
	}
	active, err := s.active(ctx, fedID)
	if err != nil {
		return err
	}
	for _, r := range active {
		if _, err := s.o.Runs.Stop(ctx, actor, r.ID); err != nil && domain.CodeOf(err) != domain.Conflict {
			return err
		}
	}
	s.o.Jobs.Go(func(ctx context.Context) { s.finish(ctx, fedID) })
	return nil
}

func (s *Service) active(ctx context.Context, fedID int64) ([]domain.Run, error) {
	return s.o.Runs.List(ctx, domain.RunFilter{FederationID: fedID, States: []domain.RunState{domain.Starting, domain.Running}, Limit: 500})
}

func (s *Service) finish(whole context.Context, fedID int64) {
	ctx, cancel := context.WithTimeout(whole, stopLimit)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil && s.o.Manager.Status(fedID).State == domain.SuperLinkUp {
		if active, err := s.active(ctx, fedID); err == nil && len(active) == 0 {
			break
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	f, err := s.o.Onboarding.Federation(whole, fedID)
	if err != nil || f.EngineWanted { // somebody started it again meanwhile
		return
	}
	if err := s.o.Manager.Stop(whole, fedID); err != nil && whole.Err() == nil {
		s.o.Log.Error("stopping an engine", "federation", f.Slug, "err", err)
	}
}

// Default is the engine of federations that have chosen none.
func (s *Service) Default() domain.Engine { return s.o.Default }

// Status returns the state of a federation's SuperLink.
func (s *Service) Status(fedID int64) domain.SuperLink { return s.o.Manager.Status(fedID) }

// Log returns the log of a part of a federation's engine: "superlink" or "keeper", or its nth older file.
func (s *Service) Log(fedID int64, part string, older int) (*logfile.File, error) {
	path, err := s.o.Manager.LogFile(fedID, part)
	if err != nil {
		return nil, err
	}
	return s.log(logfile.Older(path, older)), nil
}

// maxLogs bounds how many logs' indexes are held; one is cheap to make anew.
const maxLogs = 200

func (s *Service) log(path string) *logfile.File {
	s.logsMu.Lock()
	defer s.logsMu.Unlock()
	f := s.logs[path]
	if f == nil {
		if len(s.logs) >= maxLogs || s.logs == nil {
			s.logs = map[string]*logfile.File{}
		}
		f = logfile.New(path)
		s.logs[path] = f
	}
	return f
}

// OlderLogs counts the older files of a part's log.
func (s *Service) OlderLogs(fedID int64, part string) int {
	path, err := s.o.Manager.LogFile(fedID, part)
	n := 0
	for err == nil && n < engine.OldLogs {
		if _, err = os.Stat(logfile.Older(path, n+1)); err == nil {
			n++
		}
	}
	return n
}

// NodeLog returns what a SuperNode's agent has sent of a part's log: "supernode" or "clientapp". It may not exist.
func (s *Service) NodeLog(fedID, keyID int64, part string, older int) *logfile.File {
	return s.log(logfile.Older(s.o.NodeLogs.Path(fedID, keyID, part), older))
}
