package fleet

import "google.golang.org/protobuf/encoding/protowire"

// sign is what a successful call tells of a SuperNode.
type sign int

const (
	signLife      sign = iota // it is there
	signHello                 // activate-node: it comes online
	signHeartbeat             // it is there, and nothing else is going on
	signBye                   // deactivate-node: it goes offline
)

// held says which calls are held open.
type held int

const (
	heldNot    held = iota
	heldPoll        // pull-messages, until there is one
	heldObject      // pull-object, until it is there
)

// step is what a successful call is on a message's way to a SuperNode and back.
type step int

const (
	stepNone    step = iota
	stepTake         // pull-messages: the SuperNode gets the message
	stepPrepare      // get-run, get-fab: what it needs besides
	stepGet          // pull-object: it gets a part of the message
	stepGot          // confirm-message-received: it has all parts
	stepPut          // push-messages: it announces its reply
	stepSend         // push-object: it sends a part of the reply
)

// method is one call of Flower's Fleet API.
type method struct {
	path    string
	most    int64 // largest body in bytes
	body    schema
	content protowire.Number // the field that may be large: what is before it is checked first, what follows it while it passes; 0 if none
	never   bool             // refused always
	sign    sign
	held    held // open while there is nothing to answer with
	step    step
	repeat  repeat // what becomes of a 500
}

// small is enough for every body but those with object trees or contents.
const small = 64 << 10

var nodeField = field{kind: isNode, sub: schema{1: {kind: isNodeID, must: true}}, must: true}

// messageSchema is Message: only its metadata names a node.
var messageSchema = schema{1: {kind: isMessage, must: true, most: maxMetadata, sub: schema{3: {kind: isNodeID, must: true}}}}

// methods are all calls that may go upstream. A path that is not here does not exist. Only fields that name a node or a key are
// listed: the SuperLink reads the others as it likes, as they give nobody another's identity.
//
// Repeating after a 500 is safe where repeat says so (read in flwr 1.42, superlink/servicer/fleet, and tried): an activation that took
// place answers 412, which waitOnline handles; a reply is stored once by its message id, and its objects are asked for again; an object
// that is there answers "not stored", which healStored mends; a deletion of what is gone does nothing. A 500 of pull-messages mostly
// means that no message was claimed. If only the count of bytes that follows the claim failed, the message is lost, as it was before.
var methods = index(
	method{path: "/v1/fleet/register-node", most: small, body: schema{1: {kind: isKey, must: true}}, never: true},
	method{path: "/v1/fleet/activate-node", most: small, body: schema{1: {kind: isKey, must: true}}, sign: signHello, repeat: repeatAlways},
	method{path: "/v1/fleet/deactivate-node", most: small, body: schema{1: {kind: isNodeID, must: true}}, sign: signBye, repeat: repeatAlways},
	method{path: "/v1/fleet/unregister-node", most: small, body: schema{1: {kind: isNodeID, must: true}}, sign: signBye},
	method{path: "/v1/fleet/send-node-heartbeat", most: small, body: schema{1: nodeField}, sign: signHeartbeat, repeat: repeatAlways},
	method{path: "/v1/fleet/pull-messages", most: small, body: schema{1: nodeField}, held: heldPoll, step: stepTake, repeat: repeatAlways},
	method{path: "/v1/fleet/push-messages", most: 8 << 20, body: schema{1: nodeField, 2: {kind: isMessage, sub: messageSchema, many: true}},
		step: stepPut, repeat: repeatAWhile},
	method{path: "/v1/fleet/get-run", most: small, body: schema{1: nodeField}, step: stepPrepare, repeat: repeatAlways},
	method{path: "/v1/fleet/get-fab", most: small, body: schema{1: nodeField}, step: stepPrepare, repeat: repeatAlways},
	method{path: "/v1/fleet/push-object", most: 1 << 30, body: schema{1: nodeField}, content: 4, step: stepSend, repeat: repeatAWhile},
	method{path: "/v1/fleet/pull-object", most: small, body: schema{1: nodeField}, held: heldObject, step: stepGet, repeat: repeatAWhile},
	method{path: "/v1/fleet/confirm-message-received", most: small, body: schema{1: nodeField}, step: stepGot, repeat: repeatAWhile},
)

func index(all ...method) map[string]method {
	out := make(map[string]method, len(all))
	for _, m := range all {
		out[m.path] = m
	}
	return out
}
