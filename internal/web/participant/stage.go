package participant

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/url"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/program"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// stage is where a participant stands, in the words of the page.
type stage struct {
	headline, next string
	current        int    // first step not done; 5: all are
	class          string // of the current step
	pill           *ui.Tone
}

// maxGiven is how many rounds the participant's page tells what left in.
const maxGiven = 10

// standing is everything a participant's page shows of one federation.
type standing struct {
	fed       domain.Federation
	request   domain.Request
	key       domain.NodeKey        // ID 0 without one
	run       domain.Run            // that runs now; ID 0 without one
	part      domain.Part           // of its SuperNode, over all runs
	given     []domain.Contribution // of its SuperNode to the newest rounds, the newest first
	apps      []onData              // what ran on their machine
	training  bool                  // asked in the run and not replied yet
	stage     stage
	conn      domain.Connection
	challenge string
	programs  []program.Program
	system    string // of the visitor's browser, as [program.System] names it
	token     string // only right after it was made
	expires   time.Time
	errs      ui.FormErrors
	publicKey string // kept input of the upload form
	signature string
	ask       bool // the join command lets the participant approve apps first
}

func (st standing) approved() bool { return st.request.State == domain.Approved }
func (st standing) hasKey() bool   { return st.key.ID != 0 }

// host is the part of the address that a firewall has to let out.
func (st standing) host() string {
	if u, err := url.Parse(st.conn.PublicURL); err == nil && u.Host != "" {
		return u.Host
	}
	return st.conn.SuperLink
}

// pinned reports whether the CA is our own, so that it has to be downloaded and compared.
func (st standing) pinned() bool { return len(st.conn.CAPEM) > 0 }

// caFingerprint is the SHA-256 of the CA certificate as `openssl x509 -fingerprint -sha256` prints it.
func (st standing) caFingerprint() string {
	block, _ := pem.Decode(st.conn.CAPEM)
	if block == nil {
		return ""
	}
	sum := sha256.Sum256(block.Bytes)
	return ui.Colons(hex.EncodeToString(sum[:]))
}

func (st standing) superNodeCommand() string {
	ca := ""
	if st.pinned() {
		ca = " --root-certificates ca.pem"
	}
	return fmt.Sprintf("flower-supernode --superlink %s%s --auth-supernode-private-key key --node-config %q", st.conn.SuperLink, ca,
		domain.NodeConfig(st.request.Partition, st.fed.TotalPartitions))
}

// standing reads where the visitor stands in the federation.
func (s *Pages) standing(ctx context.Context, v *visit.Visit) (standing, error) {
	st := standing{fed: v.Fed, request: v.Mine, conn: s.Connection()}
	if st.approved() {
		k, err := s.Onboarding.KeyOf(ctx, v.Mine.ID)
		if err != nil && domain.CodeOf(err) != domain.NotFound {
			return st, err
		}
		if err == nil {
			st.key = k
			if st.part, err = s.Runs.Part(ctx, v.Fed.ID, k.NodeID); err != nil {
				return st, err
			}
			if st.given, err = s.Runs.NewestContributions(ctx, v.Fed.ID, k.NodeID, maxGiven); err != nil {
				return st, err
			}
		}
		if st.apps, err = s.onData(ctx, v.Mine.ID); err != nil {
			return st, err
		}
		if st.run, err = s.Fed.Running(ctx, v.Fed.ID, v.Person.ID); err != nil {
			return st, err
		}
		if st.run.ID != 0 && st.hasKey() {
			waiting, err := s.Runs.WaitingAmong(ctx, st.run, []uint64{st.key.NodeID})
			if err != nil {
				return st, err
			}
			st.training = len(waiting) > 0
		}
	}
	st.stage = stageOf(st, s.Clock().UTC())
	return st, nil
}

func stageOf(st standing, now time.Time) stage {
	r := st.request
	switch r.State {
	case domain.Unverified:
		return stage{headline: "Enter the code from your e-mail", next: "It is valid 30 minutes; then your request goes to the managers.",
			current: 1, class: "is-wait"}
	case domain.Pending:
		return stage{headline: "Your request is being reviewed", next: "We mail you the answer; you can close this page.", current: 2,
			class: "is-wait"}
	case domain.Approved:
		return connectStage(st, now)
	case domain.Rejected:
		return stage{headline: "Not accepted this time", next: "Reason: “" + r.Reason + "”.", current: 2, class: "is-bad"}
	case domain.Revoked:
		return stage{headline: "Your access has ended", next: "Your SuperNode is stopped, its key refused. Reason: “" + r.Reason + "”.",
			current: 3, class: "is-bad"}
	case domain.Withdrawn:
		return stage{headline: "You withdrew your request", next: "Nothing is kept waiting. You can ask again whenever you like.", current: 2,
			class: "is-off"}
	}
	return stage{headline: "Your request has run out", next: "The code was not entered in time. Ask again; it takes a minute.", current: 1,
		class: "is-off"}
}

func connectStage(st standing, now time.Time) stage {
	k := st.key
	mine := fmt.Sprintf("Partition %d of %d is yours.", st.request.Partition, st.fed.TotalPartitions)
	switch {
	case !st.hasKey():
		return stage{headline: "You are in. Connect your machine",
			next: mine + " Run one command on the machine that holds the data; this page follows along.", current: 3, class: "is-wait"}
	case !k.SuspendedAt.IsZero():
		t := ui.NodeTone(k, false, now)
		return stage{headline: "Suspended by a manager", next: "Your SuperNode waits and continues automatically. Reason: “" + k.Reason + "”.",
			current: 4, class: "is-off", pill: &t}
	case k.Seen.FirstAt.IsZero():
		return stage{headline: "Setting up your SuperNode", next: "The first start takes about a minute; this page updates automatically.",
			current: 3, class: "is-live"}
	}
	t := ui.NodeTone(k, st.training, now)
	switch {
	case k.Seen.Online && k.Seen.Stuck != "":
		cause, remedy := k.Stuck()
		return stage{headline: "Your SuperNode is stuck", next: cause + " " + remedy, current: 4, class: "is-bad", pill: &t}
	case k.Seen.Online && st.training:
		round := ""
		if st.run.Round > 0 {
			round = ", round " + ui.Itoa(st.run.Round)
			if st.run.Rounds > 0 {
				round += " of " + ui.Itoa(st.run.Rounds)
			}
		}
		return stage{headline: "Training" + round, next: st.run.Name + " runs on your data now. You can close this page.", current: 5, pill: &t}
	case k.Seen.Online:
		return stage{headline: "Connected", next: "Your SuperNode joins runs automatically. You can close this page.", current: 5, pill: &t}
	case k.Seen.TooOld():
		next := fmt.Sprintf("Your machine has flwr %s; this server needs %s or newer. There: %s, and start your SuperNode again.", k.Seen.Flwr,
			domain.OldestFlwr, domain.InstallFlwr(st.conn.Flwr))
		return stage{headline: "Your Flower is too old", next: next, current: 4, class: "is-bad", pill: &t}
	}
	return stage{headline: "Not seen for " + ui.About(now.Sub(k.Seen.LastAt)),
		next: "Your partition is kept. Run the command again on your machine.", current: 4, class: "is-off", pill: &t}
}
