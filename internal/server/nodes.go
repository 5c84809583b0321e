package server

import (
	"blossomtune/internal/fleet"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/flower/runtimeproxy"
	"blossomtune/internal/nodes"
	"blossomtune/internal/store"
)

// Nodes are the parts between SuperNodes and SuperLinks.
type Nodes struct {
	Seen    *nodes.Seen
	Gateway *fleet.Gateway
	Sync    *nodes.Sync
}

func newNodes(b base, r Rules, e Engine) (n Nodes) {
	o := b.o
	n.Seen = nodes.NewSeen(nodes.SeenOptions{Store: store.Adapt[nodes.Tx](b.DB), Events: b.Events, Runs: e.Runs, Jobs: b.Jobs,
		Clock: o.Clock, Log: o.Log})
	adopted := nodes.NewAdopted(e.Manager)
	n.Gateway = fleet.New(fleet.Options{Keys: r.Onboarding, Upstreams: adopted, Store: n.Seen, Timings: n.Seen,
		OnSeen: n.Seen.Came, OnStuck: n.Seen.Stuck, OnUnknown: b.links.nodeUnknown.call,
		OnReply: func(v fleet.Reply) { // the Runtime proxy before Flower's SuperLink may be waiting for it
			e.Manager.Replied(v.FederationID, runtimeproxy.Reply{EngineRunID: v.EngineRunID, MessageID: v.MessageID})
		},
		ActiveRuns: n.Seen.ActiveRuns, Flwr: python.FlwrVersion, Clock: o.Clock, Log: o.Log})
	n.Sync = nodes.NewSync(nodes.Options{Signal: b.signal, Manager: e.Manager, Onboarding: r.Onboarding, Gateway: n.Gateway, Adopted: adopted,
		Jobs: b.Jobs, Log: o.Log})
	return n
}
