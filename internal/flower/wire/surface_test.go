package wire

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"blossomtune/internal/flower/wire/flwrpb"
)

// route is what a call of flwr carries.
type route struct {
	Request  string `json:"request"`
	Response string `json:"response"`
}

// used are the calls that our SuperLink serves (Fleet, Runtime) or our server makes (Control): their messages must be those that we know.
var used = strings.Fields(`
	/v1/fleet/activate-node /v1/fleet/deactivate-node /v1/fleet/send-node-heartbeat /v1/fleet/pull-messages /v1/fleet/push-messages
	/v1/fleet/get-run /v1/fleet/get-fab /v1/fleet/push-object /v1/fleet/pull-object /v1/fleet/confirm-message-received
	/v1/runtime/send-task-heartbeat /v1/runtime/push-logs /v1/runtime/pull-task-input /v1/runtime/push-task-output /v1/runtime/get-nodes
	/v1/runtime/push-messages /v1/runtime/pull-messages /v1/runtime/push-object /v1/runtime/pull-object
	/v1/runtime/confirm-message-received /v1/runtime/acquire-task
	/v1/control/start-run /v1/control/stop-run /v1/control/list-runs /v1/control/stream-logs /v1/control/register-node
	/v1/control/unregister-node /v1/control/list-nodes`)

// unserved are the calls of the Fleet and Runtime APIs that our SuperLink does not have, with the reasons. The Control API is not listed:
// it does not exist there.
var unserved = map[string]string{
	"/v1/fleet/register-node":            "keys are registered when a request is approved",
	"/v1/fleet/unregister-node":          "access ends on the server",
	"/v1/runtime/create-task":            agents,
	"/v1/runtime/push-task-message":      agents,
	"/v1/runtime/pull-task-message":      agents,
	"/v1/runtime/push-task-events":       agents,
	"/v1/runtime/record-task-usage":      agents,
	"/v1/runtime/get-run-series-events":  agents,
	"/v1/runtime/get-compacted-contexts": agents,
	"/v1/runtime/put-compacted-context":  agents,
	"/v1/runtime/get-connector":          agents,
	"/v1/runtime/start-automation":       agents,
}

const (
	agents  = "only AgentApps, models, connectors and automations call it"
	account = "there are no accounts behind runs and SuperNodes"
	unread  = "protobuf keeps it, and nothing of ours needs to read it"
	empty   = "it has no fields"

	simulation = "only simulations use it"
)

// unknown are the messages, and fields of messages, of used calls that our flwr.proto does not have, with the reasons.
var unknown = map[string]string{
	"AcquireTaskRequest.agentapp_fab_hashes": agents, "Task.connector_id": agents, "Task.connector_ref": agents, "Task.model_ref": agents,
	"StartRunRequest.connector_ids": agents, "StartRunRequest.connector_refs": agents, "StartRunRequest.user_prompt": agents,
	"Run.account_name": account, "Run.flwr_aid": account, "NodeInfo.owner_aid": account, "NodeInfo.owner_name": account,
	"RecordDict.items": unread, "Fab.verifications": unread,
	"Task.pending_at": unread, "Task.starting_at": unread, "Task.running_at": unread, "Task.finished_at": unread,
	"StartRunResponse.note": unread, "StartRunResponse.federation": unread, "StartRunResponse.series_id": unread,
	"GetNodesRequest": empty, "PullTaskInputRequest": empty, "SendTaskHeartbeatRequest": empty,
	"PushLogsRequest":                            "what a ServerApp prints is read from its process",
	"PullMessagesResponse.reconnect":             "no client of flwr 1.42 reads it",
	"PushMessagesResponse.reconnect":             "no client of flwr 1.42 reads it",
	"PushMessagesResponse.results":               "no client of flwr 1.42 reads it",
	"PullTaskInputResponse.federation_config":    simulation,
	"PushTaskOutputRequest.clientapp_runtime":    simulation,
	"StartRunRequest.override_federation_config": simulation,
	"ListRunsRequest.skip":                       "all runs are asked for",
	"NodeInfo.location":                          "SuperNodes are registered without a place",
	"RegisterNodeRequest.location":               "SuperNodes are registered without a place",
	"StartRunRequest.app_spec":                   "an app is given as its FAB",
	"StartRunRequest.series_id":                  "each run is a series of its own",
}

// missing names what flwr has in the messages of used calls and ours do not.
func missing(ours, theirs messages, routes map[string]route) (out []string) {
	var todo []string
	for _, path := range used {
		r, ok := routes["POST "+path]
		if !ok {
			out = append(out, path)
			continue
		}
		todo = append(todo, r.Request, r.Response)
	}
	seen := map[string]bool{}
	for len(todo) > 0 {
		name := todo[0]
		if todo = todo[1:]; seen[name] {
			continue
		}
		seen[name] = true
		own, ok := ours[name]
		if !ok {
			out = append(out, name)
			continue
		}
		for field, f := range theirs[name] {
			if _, ok := own[field]; !ok {
				out = append(out, name+"."+field)
			} else if f.Message != "" {
				todo = append(todo, f.Message)
			}
		}
	}
	slices.Sort(out)
	return out
}

// What a newer flwr adds to the calls that we serve or make, or takes away, is named: each call, message and field is either known here or
// listed with the reason why it need not be. TestMessagesAreFlwrs names what changed in the messages that both have.
func TestNothingOfFlwrIsNew(t *testing.T) {
	ours, theirs, routes := messages{}, messages{}, map[string]route{}
	describe(flwrpb.File_flwr_proto.Messages(), ours)
	ask(t, "descriptors", nil, &theirs)
	ask(t, "surface", nil, &routes)
	for _, problem := range news(ours, theirs, routes) {
		t.Error(problem)
	}
	t.Logf("%d calls of flwr %s, %d of them used; %d messages and fields need not be known", len(routes), flwr(t).FlwrVersion, len(used),
		len(unknown))
}

// news says what is new, and what is listed without need.
func news(ours, theirs messages, routes map[string]route) (out []string) {
	found := map[string]bool{}
	for _, name := range missing(ours, theirs, routes) {
		found[name] = true
		if _, listed := unknown[name]; !listed && strings.HasPrefix(name, "/") {
			out = append(out, "no longer in flwr: the call "+name+", which is used")
		} else if !listed {
			out = append(out, fmt.Sprintf("new in flwr: %s %+v", name, detail(theirs, name)))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(unknown)) {
		if !found[name] {
			out = append(out, fmt.Sprintf("no longer in flwr, or known here now: %s (%s)", name, unknown[name]))
		}
	}
	for key, r := range routes {
		path := strings.TrimPrefix(key, "POST ")
		_, listed := unserved[path]
		if !strings.HasPrefix(path, "/v1/control/") && !listed && !slices.Contains(used, path) {
			out = append(out, fmt.Sprintf("new in flwr: the call %s, %s to %s", path, r.Request, r.Response))
		}
	}
	for path := range unserved {
		if _, ok := routes["POST "+path]; !ok {
			out = append(out, "no longer in flwr: the call "+path)
		}
	}
	slices.Sort(out)
	return out
}

func detail(theirs messages, name string) any {
	message, fieldName, ok := strings.Cut(name, ".")
	if f, known := theirs[message][fieldName]; ok && known {
		return f
	}
	return slices.Sorted(maps.Keys(theirs[name]))
}

// What is added, taken away or renamed is named.
func TestNewsAreNamed(t *testing.T) {
	ours, theirs, routes := messages{}, messages{}, map[string]route{}
	describe(flwrpb.File_flwr_proto.Messages(), ours)
	ask(t, "descriptors", nil, &theirs)
	ask(t, "surface", nil, &routes)
	before := news(ours, theirs, routes)
	theirs["ObjectTree"]["checksum"] = field{Number: 3, Type: "bytes"}
	delete(theirs["Fab"], "verifications")
	routes["POST /v1/fleet/take-a-break"] = route{"BreakRequest", "BreakResponse"}
	delete(routes, "POST /v1/fleet/register-node")
	delete(routes, "POST /v1/runtime/get-nodes")
	var added []string
	for _, line := range news(ours, theirs, routes) {
		if !slices.Contains(before, line) {
			added = append(added, line)
		}
	}
	want := []string{
		"new in flwr: ObjectTree.checksum {Number:3 Type:bytes Repeated:false Map:false Optional:false Oneof: Message:}",
		"new in flwr: the call /v1/fleet/take-a-break, BreakRequest to BreakResponse",
		"no longer in flwr, or known here now: Fab.verifications (" + unread + ")",
		"no longer in flwr, or known here now: GetNodesRequest (" + empty + ")",
		"no longer in flwr: the call /v1/fleet/register-node",
		"no longer in flwr: the call /v1/runtime/get-nodes, which is used",
	}
	if !slices.Equal(added, want) {
		t.Errorf("named are\n%s\nwant\n%s", strings.Join(added, "\n"), strings.Join(want, "\n"))
	}
}
