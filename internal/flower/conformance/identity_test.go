package conformance

import (
	"time"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"
)

// identities are the calls that an engine turns away, and those by which a SuperNode comes and goes.
func (s *script) identities(one, two, three participant) {
	stranger := participant{key: newKey(s.t), id: 99}
	own := publicPEM(s.t, one.key)
	s.activate("activate: key that is not registered", stranger, publicPEM(s.t, stranger.key), 30)
	s.activate("activate: another's key in the body", one, publicPEM(s.t, two.key), 30)
	s.activate("activate: no key in the body", one, nil, 30)
	s.activate("activate: interval too short", one, own, 9)
	s.activate("activate: interval too long", one, own, 1801)
	s.activate("activate", one, own, 30)
	s.activate("activate: again while online", one, own, 30)
	s.activate("activate: another SuperNode", two, publicPEM(s.t, two.key), 30)
	s.beat("heartbeat", one, one.id, 30)
	s.beat("heartbeat: before the activation", two, two.id, 60)
	s.beat("heartbeat: interval too short", one, one.id, 0)
	s.beat("heartbeat: interval too long", one, one.id, 4000)
	s.beat("heartbeat: another's ID", one, two.id, 30)
	s.beat("heartbeat: key that is not registered", stranger, 99, 30)
	s.beat("heartbeat: no ID", one, 0, 30)
	s.poll("poll: nothing", one)
	s.poll("poll: another's ID", participant{one.key, two.id})
	s.leave("deactivate: never activated", three, three.id)
	s.signatures(one)
	none := &flwrpb.DeactivateNodeResponse{}
	s.fleet("register-node", stranger, "register-node", &flwrpb.RegisterNodeFleetRequest{PublicKey: publicPEM(s.t, stranger.key)}, none)
	s.fleet("unregister-node", one, "unregister-node", &flwrpb.UnregisterNodeFleetRequest{NodeId: one.id}, none)
	s.fleet("no such call", one, "no-such-call", &flwrpb.PullMessagesRequest{}, &flwrpb.PullMessagesResponse{})
}

func (s *script) signatures(one participant) {
	poll := []byte{0x0a, 0} // it is refused before its content matters
	for step, off := range map[string]time.Duration{"signature: too old": -10 * time.Minute, "signature: of the future": time.Minute} {
		headers, err := wire.SignHeaders(one.key, time.Now().Add(off))
		check(s.t, err)
		s.note(step, s.outcome(s.send("/v1/fleet/pull-messages", headers, poll), &flwrpb.PullMessagesResponse{}))
	}
	good, err := wire.SignHeaders(one.key, time.Now())
	check(s.t, err)
	other, err := wire.SignHeaders(one.key, time.Now().Add(time.Second))
	check(s.t, err)
	for _, name := range []string{wire.HeaderPublicKey, wire.HeaderTimestamp, wire.HeaderSignature} {
		without := good.Clone()
		without.Del(name)
		s.note("signature: without "+name, s.outcome(s.send("/v1/fleet/pull-messages", without, poll), &flwrpb.PullMessagesResponse{}))
	}
	good.Set(wire.HeaderSignature, other.Get(wire.HeaderSignature))
	s.note("signature: of another time", s.outcome(s.send("/v1/fleet/pull-messages", good, poll), &flwrpb.PullMessagesResponse{}))
	for _, route := range []string{"activate-node", "send-node-heartbeat", "pull-messages", "push-messages", "get-run", "get-fab",
		"pull-object", "push-object", "confirm-message-received", "deactivate-node"} {
		headers, err := wire.SignHeaders(one.key, time.Now())
		check(s.t, err)
		s.note("not a protobuf: "+route, s.outcome(s.send("/v1/fleet/"+route, headers, []byte{0xff}), &flwrpb.PullMessagesResponse{}))
		headers, err = wire.SignHeaders(one.key, time.Now())
		check(s.t, err)
		s.note("empty: "+route, s.outcome(s.send("/v1/fleet/"+route, headers, nil), &flwrpb.PullMessagesResponse{}))
	}
}
