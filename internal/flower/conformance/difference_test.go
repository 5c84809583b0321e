package conformance

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/fleetload/flowerlink"
)

// appBundle is the app of the runs; nothing in it is ever run.
var appBundle = bundle{flowerlink.FAB(), "blossomtune/fleetload", "1.0.0"}

// difference is where our SuperLink answers otherwise than Flower's on purpose. Steps and outcomes are regular expressions.
type difference struct{ steps, flowers, ours, why string }

const message, failure = `\{messages_list=\[\{metadata=.*content=.*`, `\{messages_list=\[\{metadata=.*error=\{code=3 .*`

var differences = []difference{
	{`.*`, `401`, `401 code 1008`, "The gateway names the code that Flower's Runtime API gives with this status."},
	{`not a protobuf: .*`, `400 code 1003`, `401 code 1008`, "The gateway reads the SuperNode's ID first; what cannot be read has none."},
	{`activate: key that is not registered`, `412 code 2004`, `401 code 1008`, "The gateway does not let keys pass that nobody approved."},
	{`unregistered: activate`, `412 code 2004`, `401 code 1008`, "The gateway does not let revoked keys pass."},
	{`register-node`, `412 code 2001`, `401 code 1008`, "The gateway does not let keys pass that nobody approved."},
	{`unregister-node`, `412 code 2002`, `404`, "SuperNodes cannot unregister themselves; the call does not exist."},
	{`acquire-task: as a ServerApp`, `401 code 1008`, `404`, "The launcher acquires tasks without this call; it does not exist."},
	{`activate: again while online`, `412 code 2004`, `\{node_id=node-1\}`,
		"A SuperNode that was killed and restarted need not wait for a minute."},
	{`input: again`, `412 code 3002`, `\{context=.*`, "A ServerApp may repeat the call when the answer was lost."},
	{`push: .*`, `500`, `400`, "A call that is wrong is the caller's error."},
	{`reply: no message`, `500`, `400 code 1003`, "A call that is wrong is the caller's error."},
	{`confirm: unknown run`, `500`, `403 code 2007`, "A run that is unknown does not run; a 500 ends a stock SuperNode."},
	{`replies: to another run's message`, `500`, failure, "Another run's messages are as unknown as those that do not exist."},
	{`object: another content`, `\{\}`, `400`, "An object whose content has another name is refused with the reason."},
	{`object: of another form`, `\{\}`, `\{stored=true\}`, "An object's form is checked by those who read it, as without a SuperLink."},
	{`(object: again|reply: object again)`, `\{\}`, `\{stored=true\}`,
		"An object that is here already is stored: a repeated call is no failure."},
	{`poll: message that is not whole`, message, `\{\}`,
		"A SuperNode gets a message when all of its objects are here, and need not ask for them again and again."},
	{`poll: message`, `\{\}`, message, "It follows from the line above."},
	{`pull: another SuperNode's object`, `\{object_found=true .*`, `\{\}`, "SuperNodes get the objects of their own messages alone."},
	{`reply: in another's name`, `\{session_id=session\}`, `401 code 1008`, "A SuperNode cannot speak for another."},
	{`reply: another SuperNode's`, `\{objects_to_push=.*`, `401 code 1008`,
		"A SuperNode cannot speak for another; Flower's SuperLink takes its reply."},
	{`replies: not whole yet`, message, `\{\}`, "A ServerApp gets a reply when all of its objects are here."},
	{`replies(: before the confirmation)?`, failure, message,
		"A reply is given again until it is confirmed, so an answer that was lost costs nothing."},
	{`replies: the message was answered in time`, failure, message, "A reply that came in time is given, however late the ServerApp asks."},
	{`replies: the message's time is over`, `.*message_type="system".*`, `.*group_id="1" message_type="train".*`,
		"The error keeps the message's type and group, so an app can tell which of its messages expired."},
}

// unsaid are fields that Flower's SuperLink sets and ours does not.
var unsaid = map[string]string{
	" field-1 field-2": "PushMessagesResponse.reconnect and results: no client reads them.",
	" field-2 field-3": "NodeInfo.owner_aid and owner_name: there are no accounts; in Flower's open-source SuperLink they are placeholders.",
	" field-11":        "Run.flwr_aid: the same.",
}

// Every call, also each that is wrong, gets the same answer from Flower's SuperLink and from ours, but for the differences that the tables
// list with their reasons. A listed difference that is none any more fails too.
func TestTheSameAnswers(t *testing.T) {
	got := map[string]map[string]string{}
	var steps []string
	for _, e := range both(t, time.Millisecond) {
		s := newScript(t, e)
		s.all()
		got[e.name], steps = s.outcomes, s.steps
	}
	used, said := make([]int, len(differences)), map[string]bool{}
	for _, step := range steps {
		theirs, own := got["Flower's"][step], got["ours"][step]
		theirs = without(theirs, said)
		if theirs == own {
			continue
		}
		if i := listed(step, theirs, own); i >= 0 {
			used[i]++
		} else {
			t.Errorf("%s:\n\tFlower's %s\n\tours     %s", step, theirs, own)
		}
	}
	listedCalls := 0
	for i, d := range differences {
		if listedCalls += used[i]; used[i] == 0 {
			t.Errorf("the table lists a difference that is none any more: %+v", d)
		}
	}
	for fields, why := range unsaid {
		if !said[fields] {
			t.Errorf("Flower's SuperLink does not send%s any more: %s", fields, why)
		}
	}
	t.Logf("%d calls; %d of them have another answer on purpose, for %d reasons", len(steps), listedCalls, len(differences))
}

// without takes out what our SuperLink does not say, and notes what it was.
func without(theirs string, said map[string]bool) string {
	for fields := range unsaid {
		if strings.Contains(theirs, fields) {
			theirs, said[fields] = strings.ReplaceAll(theirs, fields, ""), true
		}
	}
	return theirs
}

// listed returns the number of the difference that fits; -1: none.
func listed(step, theirs, own string) int {
	is := func(pattern, s string) bool { return regexp.MustCompile(`^(?:` + pattern + `)$`).MatchString(s) }
	for i, d := range differences {
		if is(d.steps, step) && is(d.flowers, theirs) && is(d.ours, own) {
			return i
		}
	}
	return -1
}
