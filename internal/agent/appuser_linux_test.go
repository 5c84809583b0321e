package agent

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"blossomtune/internal/agent/approval"
	"blossomtune/internal/domain"
	"blossomtune/internal/keeper/contain"
)

// asks says which user a ClientApp and a ServerApp run as, and what the ClientApp reads.
const asks = `
import os
from flwr.app import Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp

server, app = ServerApp(), ClientApp()

@server.main()
def main(grid, context):
    is_root = os.getuid() == 0
    assert not is_root
    messages = [Message(RecordDict(), dst_node_id=n, message_type="query") for n in grid.get_node_ids()]
    grid.send_and_receive(messages)

@app.query()
def query(message, context):
    open("note", "w").close()
    text = open(%q).read()
    return Message(RecordDict({f"{os.getuid()} {text}": MetricRecord({"x": 1})}), reply_to=message)
`

// Where the agent runs as root, an app version's processes run as another user, who reads the data that only root can read. The version is
// not
// approved, so they have no network; still they reach what they are rehearsed with.
func TestAppsOfRootAreAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("only root starts programs as other users")
		return
	}
	m, _ := counted(t, approval.Ask)
	data := t.TempDir()
	file := filepath.Join(data, "table")
	if err := os.WriteFile(file, []byte("of root"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(data, 0o700); err != nil {
		t.Fatal(err)
	}
	fab := bundle(t, fmt.Sprintf(asks, file))
	n, err := m.node()
	if err != nil {
		t.Fatal(err)
	}
	n.j.o.Data, n.j.o.AppUIDs = []string{data}, domain.UIDRange{First: 62100, Last: 62199}
	r, err := m.here().rehearse(t.Context(), &node{j: n.j, st: n.st, env: n.env}, fab, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%d of root", n.j.o.AppUIDs.ByHash(sha256.Sum256(fab)))
	if !r.Complete || r.Web || r.Refused == "" || len(r.Replies) != 1 || len(r.Replies[0].Records) != 1 ||
		r.Replies[0].Records[0].Name != want {
		t.Errorf("want %q; the rehearsal: %+v", want, r)
	}
}

// What apps run as is found out before they start: without namespaces, data is not lent, and a room of another time gets another owner.
func TestTheUsersOfApps(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("only root starts programs as other users")
		return
	}
	m, _ := counted(t, approval.Any)
	n, err := m.node()
	if err != nil {
		t.Fatal(err)
	}
	fab := bundle(t, "")
	owner := func() int {
		t.Helper()
		r, err := n.room(fab)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(r.Path("home"), "cache"))
		if err != nil {
			t.Fatal(err)
		}
		return int(info.Sys().(*syscall.Stat_t).Uid)
	}
	n.j.o.AppUIDs = domain.UIDRange{First: 62100, Last: 62199}
	room, err := n.room(fab)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(room.Path("home"), "cache"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	uid := n.j.o.AppUIDs.ByHash(sha256.Sum256(fab))
	if room.UID != uid {
		t.Errorf("the room's user is %d, want %d", room.UID, uid)
	}
	n.users = appUsers{}
	n.j.o.AppUIDs = domain.UIDRange{First: 62200, Last: 62299}
	if got, want := owner(), n.j.o.AppUIDs.ByHash(sha256.Sum256(fab)); got != want {
		t.Errorf("the room belongs to %d, want %d", got, want)
	}
	n.users = appUsers{}
	n.j.o.AppUIDs = domain.UIDRange{}
	if got := owner(); got != 0 {
		t.Errorf("with --app-uids=off the room belongs to %d", got)
	}
	n.users = appUsers{}
	n.j.o.AppUIDs, n.j.o.Data = domain.UIDRange{First: 62100, Last: 62199}, []string{"/proc/self"}
	if uid := n.appUID(sha256.Sum256(fab)); uid != 0 || contain.CanLend(62100, n.j.o.Data...) == nil {
		t.Errorf("a folder that cannot be lent: apps run as %d", uid)
	}
	if n.sayAppUsers(); !strings.Contains(m.said.String(), "Apps run as root without its capabilities") {
		t.Errorf("the agent says:\n%s", m.said)
	}
}
