package agent

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"blossomtune/internal/agent/approval"
	"blossomtune/internal/domain"
)

// Machine is what this machine has of one federation, for commands that look at it, whether or not its agent runs.
type Machine struct {
	Dir        string `json:"dir"`        // of the key, state, approvals and ledger
	Server     string `json:"server"`     // base URL
	Federation string `json:"federation"` // its name in addresses
	Name       string `json:"name"`
	NodeID     string `json:"node_id"` // of the SuperNode; 0 before it was connected
	Partition  int    `json:"partition"`
	Partitions int    `json:"num_partitions"`

	st *state
}

// Machines returns what this machine has of each federation: of the one in a folder, or of all below ~/.blossomtune, of one server where
// that is named. None is a [domain.NotFound] error.
func Machines(dir, server string) ([]Machine, error) {
	var homes []home
	if dir != "" {
		homes = []home{home(dir)}
	} else {
		base, err := defaultBase()
		if err != nil {
			return nil, err
		}
		found, _ := filepath.Glob(filepath.Join(base, "*", "state.json")) // the pattern is sound
		for _, f := range found {
			if h := home(filepath.Dir(f)); !strings.Contains(filepath.Base(string(h)), ".old-") {
				homes = append(homes, h)
			}
		}
	}
	var out []Machine
	for _, h := range homes {
		st, err := h.load()
		if err != nil {
			return nil, err
		}
		if st != nil && (server == "" || strings.EqualFold(hostOf(server), st.host())) {
			out = append(out, Machine{Dir: string(h), Server: st.Server, Federation: st.Slug, Name: st.Name,
				NodeID:    strconv.FormatUint(st.NodeID, 10),
				Partition: st.Partition, Partitions: st.NumPartitions, st: st})
		}
	}
	if len(out) == 0 {
		return nil, domain.Errorf(domain.NotFound, "This machine is not enrolled in a federation.").
			Fix("Join one with blossomtune join, or name its directory with --dir.")
	}
	return out, nil
}

func hostOf(server string) string {
	if _, rest, ok := strings.Cut(server, "://"); ok {
		server = rest
	}
	host, _, _ := strings.Cut(server, "/")
	return host
}

// OneMachine is Machines for commands about one federation.
func OneMachine(dir, server string) (Machine, error) {
	all, err := Machines(dir, server)
	if err != nil {
		return Machine{}, err
	}
	if len(all) > 1 {
		dirs := make([]string, len(all))
		for i, m := range all {
			dirs[i] = m.Dir
		}
		return Machine{}, domain.Errorf(domain.Invalid, "This machine is enrolled in %d federations.", len(all)).
			Fix("Say which one with --dir: %s.", strings.Join(dirs, ", ")).At("dir")
	}
	return all[0], nil
}

// AppVersion is an app version on this machine, with what its owner has said of it.
type AppVersion struct {
	approval.Version
	State approval.State `json:"state"`
	Rule  approval.Rule  `json:"rule,omitempty"` // why it did not run, where it waits
	At    string         `json:"at"`             // first seen, or decided
}

// Policy returns which app versions run here. An error says why none does.
func (m Machine) Policy() (approval.Policy, error) {
	store, err := m.store()
	if err != nil {
		return "", err
	}
	g := approval.Gate{Store: store, Rules: home(m.Dir).rulesFiles(), Policy: m.st.policy()}
	return g.InForce()
}

func (m Machine) store() (*approval.Store, error) { return home(m.Dir).approvals(m.st) }

const stamp = "2006-01-02T15:04:05Z07:00"

// Apps lists the app versions that wait, then those that the owner has decided about, the newest first. A version that waits although it
// was approved is listed once, as waiting.
func (m Machine) Apps() ([]AppVersion, error) {
	waiting, err := home(m.Dir).shelf().Waiting()
	if err != nil {
		return nil, err
	}
	var out []AppVersion
	for _, v := range waiting {
		out = append(out, AppVersion{Version: v.Version, State: approval.Waiting, Rule: v.Rule, At: v.At.Format(stamp)})
	}
	slices.Reverse(out)
	store, err := m.store()
	if err != nil {
		return nil, err
	}
	decided, err := store.Decisions()
	if err != nil {
		return out, refusedFile(err)
	}
	slices.Reverse(decided)
	for _, d := range decided {
		if slices.ContainsFunc(out, func(v AppVersion) bool { return v.FAB == d.FAB }) {
			continue
		}
		v := AppVersion{Version: approval.Version{FAB: d.FAB, App: d.App, Version: d.Version, Deps: d.Deps}, State: d.State,
			At: d.At.Format(stamp)}
		if fab, err := m.FAB(d.FAB); err == nil {
			if read, err := approval.Read(fab, false); err == nil {
				v.Publisher, v.Dependencies = read.Publisher, read.Dependencies
			}
		}
		out = append(out, v)
	}
	return out, nil
}

func refusedFile(err error) error {
	if r, ok := approval.IsRefusal(err); ok {
		return domain.Errorf(domain.Conflict, "The approvals cannot be used: %s.", r.Error()).
			Fix("No app that needs an approval runs. Move approvals.json elsewhere and approve again what you want.")
	}
	return err
}

// FAB returns the bytes of an app version that is here.
func (m Machine) FAB(hash string) ([]byte, error) { return home(m.Dir).shelf().FAB(hash) }

// Last returns the version of the same app that was approved last, other than this one.
func (m Machine) Last(v AppVersion) (AppVersion, bool) {
	all, err := m.Apps()
	if err != nil {
		return AppVersion{}, false
	}
	for _, o := range all {
		if o.State == approval.Approved && o.App == v.App && o.FAB != v.FAB {
			return o, true
		}
	}
	return AppVersion{}, false
}

// FindApp returns the app version that begins with some digits of its SHA-256, at least 16.
func (m Machine) FindApp(prefix string) (AppVersion, error) {
	all, err := m.Apps()
	if err != nil {
		return AppVersion{}, err
	}
	hashes := make([]string, len(all))
	for i, v := range all {
		hashes[i] = v.FAB
	}
	hash, err := approval.Find(prefix, hashes)
	if err != nil {
		return AppVersion{}, err
	}
	return all[slices.Index(hashes, hash)], nil
}

// Decide approves or rejects an app version. An approval is of exactly these bytes and the packages that they ask for, in this federation.
// The agent follows it with the next message.
func (m Machine) Decide(v AppVersion, state approval.State, clock domain.Clock) error {
	store, err := m.store()
	if err != nil {
		return err
	}
	d := approval.Decision{FAB: v.FAB, Deps: v.Deps, State: state, App: v.App, Version: v.Version.Version, At: clock().UTC()}
	if state == approval.Approved {
		fab, err := m.FAB(v.FAB)
		if err != nil {
			return err
		}
		read, err := approval.Read(fab, v.Installs)
		if err != nil {
			return err
		}
		if v.State == approval.Waiting && read.Deps != v.Deps {
			return domain.Errorf(domain.Conflict, "The packages that %s asks for are not those that are shown.", v.App).
				Fix("Run blossomtune apps again.")
		}
		d.Deps = v.Deps
	}
	if err := store.Decide(d); err != nil {
		return refusedFile(err)
	}
	return home(m.Dir).shelf().Remove(v.FAB)
}

// Running reports whether an agent runs for this federation.
func (m Machine) Running() bool {
	f, err := os.OpenFile(home(m.Dir).file("agent.lock"), os.O_RDWR, 0o600)
	if err != nil {
		return false
	}
	defer f.Close()
	return lockFile(f) != nil
}
