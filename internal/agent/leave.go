package agent

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"blossomtune/internal/domain"
)

// Leave undoes what [Join] did on this machine: the service, if there is one, the key here and at the server, and every file but the
// ledger. The
// partition stays with its owner. A server that is not reached keeps the key, which nobody has any more.
func Leave(ctx context.Context, o Options) error {
	j, _, err := prepare(o)
	if err != nil {
		return err
	}
	h, st, err := j.open(nil)
	if err != nil {
		return domain.Errorf(domain.NotFound, "This machine is not enrolled there.").
			Fix("Name its directory with --dir if it is not below ~/.blossomtune.").Because(err)
	}
	if err := removeService(ctx, h, j.say); err != nil {
		return err
	}
	guard, err := h.lock()
	if err != nil {
		return domain.Errorf(domain.Conflict, "The agent runs still with %s.", h).Fix("Stop it (Ctrl-C), then leave.").Because(err)
	}
	if err := j.goodbye(ctx, h, st); err != nil {
		j.say("The server could not be reached: %v. Ask a manager to revoke the key of partition %d.", err, st.Partition)
	} else {
		j.say("The server refuses this machine's key from now on.")
	}
	_ = guard.Close()
	kept, err := h.keepLedger(j.o.Clock().UTC().Format("20060102-150405"))
	if err != nil {
		return err
	}
	if err := os.RemoveAll(string(h)); err != nil {
		return domain.Errorf(domain.Unavailable, "%s cannot be removed whole.", h).Fix("Remove it by hand: the key lies there.").Because(err)
	}
	j.say("Removed %s.", h)
	if kept != "" {
		j.say("Kept the ledger of what left this machine: %s. Remove it when you no longer need it.", kept)
	}
	if base := filepath.Dir(string(h)); o.Dir == "" && lastHome(base) {
		if err := os.RemoveAll(filepath.Join(base, "python")); err != nil {
			return err
		}
		_ = os.Remove(base) // ledgers may be left in it
		j.say("Removed the Python environment in %s.", base)
	}
	j.say("This machine has left %s. Partition %d is kept for you; your status page makes a new command.", st.Name, st.Partition)
	return nil
}

func (j *joining) goodbye(ctx context.Context, h home, st *state) error {
	key, err := loadKey(h.keyFile(st.TokenID))
	if err != nil {
		return err
	}
	conn, err := connect(j.srv, st.CAPEM, j.clock)
	if err != nil {
		return err
	}
	defer conn.close()
	n := &node{j: j, h: h, st: st, sign: j.signer(key), conn: conn}
	if _, _, err := get(ctx, conn.client(), j.srv.base.JoinPath("/healthz").String()); err != nil { // tells the server's time
		return j.srv.unreachable(err)
	}
	return j.srv.call(ctx, conn.client(), http.MethodPost, "/agent/leave", nil, n.signed, nil)
}

// lastHome reports whether no federation is left in a folder, beside what all share.
func lastHome(base string) bool {
	entries, err := os.ReadDir(base)
	if err != nil || !strings.HasSuffix(base, ".blossomtune") {
		return false
	}
	for _, e := range entries {
		if e.Name() != "python" && !strings.Contains(e.Name(), leftMark) {
			return false
		}
	}
	return true
}
