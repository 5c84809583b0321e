package server

import (
	"context"
	"net/http"
	"sync"

	"blossomtune/internal/apidoc"
	"blossomtune/internal/store"
	"blossomtune/internal/sysinfo"
	"blossomtune/internal/web"
)

// pages makes the pages over the same parts as the API, whose description they show.
func (s *Server) pages(description func() ([]byte, error)) (http.Handler, error) {
	return web.New(web.Options{
		Accounts: s.Accounts, Onboarding: s.Onboarding, Catalog: s.Catalog, Runs: s.Runs, Engines: s.Engines, Outbox: s.Mail, Notify: s.Notify,
		Overview: s.Overview, Audit: s.Audit, Backups: s.Backups,
		Connection: s.connection,
		Programs:   s.programs, System: s.system().Read,
		Reference: sync.OnceValues(func() ([]apidoc.Group, error) {
			text, err := description()
			if err != nil {
				return nil, err
			}
			return apidoc.Read(text)
		}),
		Events: s.Events, Clock: s.o.Clock, Log: s.o.Log, Site: s.Site, Version: s.o.Version, Secure: s.secure,
		ClientAddress: address, Done: s.Jobs.Context().Done(),
	})
}

// system reads what the server can say of itself.
func (s *Server) system() *sysinfo.Reader {
	return &sysinfo.Reader{Fixed: sysinfo.Info{Version: s.o.Version, Flwr: s.FlwrVersion(), Started: s.started, Data: s.o.Config.Data},
		Store: store.Adapt[sysinfo.Tx](s.DB), Engines: s.Manager, Python: s.python.Version, Contained: s.contained, AppUsers: s.users.String,
		Uncontained: s.Catalog.AcceptsUncontained,
		Database: func(ctx context.Context) (engine string, size, schema int64, err error) {
			db, err := s.DB.About(ctx)
			return db.Engine, db.Size, db.Schema, err
		}}
}
