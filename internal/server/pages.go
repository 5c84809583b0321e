package server

import (
	"net/http"

	"blossomtune/internal/program"
	"blossomtune/internal/web"
)

// pages makes the pages over the same parts as the API.
func (a *Server) pages() (http.Handler, error) {
	return web.New(web.Options{
		Accounts: a.Accounts, Onboarding: a.Onboarding, Catalog: a.Catalog, Runs: a.Runs, Engines: a.Engines, Outbox: a.Mail, Overview: a.Overview, Audit: a.Audit,
		Connection: func() web.Connection {
			return web.Connection{PublicURL: a.publicURL, SuperLink: a.SuperLinkAddress(), Pin: a.tls.Pin(), CAPEM: a.tls.CAPEM(), Flwr: a.FlwrVersion()}
		},
		Programs: a.programs, System: a.system,
		Events: a.bus, Clock: a.o.Clock, Log: a.o.Log, Site: a.Site, Version: a.o.Version, Secure: a.secure,
		ClientAddress: address, Done: a.ctx.Done(),
	})
}

// joinCommands are what participants paste to get the program and join with it, without a token: the terminal shows a code.
func (a *Server) joinCommands() string {
	return program.Block{Programs: a.programs.List(), Base: a.publicURL, OwnCA: a.tls.CAPEM() != nil, Args: "join " + a.publicURL}.Texts()
}
