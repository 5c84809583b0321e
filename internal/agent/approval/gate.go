package approval

import (
	"errors"
	"slices"
	"time"
)

// Gate decides about app versions. It reads the owner's files each time, so what the owner changes counts at once.
type Gate struct {
	Store  *Store
	Rules  []string // files; each that exists applies
	Policy Policy
}

// rules reads all rules files. With several, each must allow; the first that limits the bytes of a round counts.
func (g *Gate) rules() ([]Rules, error) {
	out := make([]Rules, 0, len(g.Rules))
	for _, file := range g.Rules {
		r, err := LoadRules(file)
		if err != nil {
			return nil, err
		}
		if r.given {
			out = append(out, r)
		}
	}
	return out, nil
}

// policy is the strictest of the one given to join and those of the rules.
func (g *Gate) policy(rules []Rules) Policy {
	strict := []Policy{Any, Listed, Ask}
	p := g.Policy
	for _, r := range rules {
		if slices.Index(strict, r.Approve) > slices.Index(strict, p) {
			p = r.Approve
		}
	}
	return p
}

// InForce returns the policy that applies now.
func (g *Gate) InForce() (Policy, error) {
	rules, err := g.rules()
	return g.policy(rules), err
}

// Allow decides whether an app version may work on a message of a run: hash is what the run names, fab are the bytes that arrived. It
// returns
// a [*Refusal] with the rule where it may not. now is this machine's own time; last is when it last recorded something.
func (g *Gate) Allow(fab []byte, hash string, installs bool, run Run, now, last time.Time) (Version, error) {
	v, err := Read(fab, installs)
	if v.FAB != hash {
		return v, refuse(RuleHash, "the run names the version %s, and %s arrived", hash, v.FAB)
	}
	rules, rulesErr := g.rules()
	if rulesErr != nil {
		return v, rulesErr
	}
	if err != nil {
		if g.policy(rules) == Any && len(rules) == 0 {
			return v, nil // Flower says what is wrong with it
		}
		return v, refuse(RuleRules, "the app cannot be read: %v", err)
	}
	for _, r := range rules {
		if err := r.Allow(v, run, now, last); err != nil {
			return v, err
		}
	}
	return v, g.decided(v, g.policy(rules), rules)
}

func (g *Gate) decided(v Version, p Policy, rules []Rules) error {
	all, err := g.Store.Decisions()
	if err != nil {
		return err
	}
	at := slices.IndexFunc(all, func(d Decision) bool { return d.FAB == v.FAB })
	listed := p == Listed && slices.ContainsFunc(rules, func(r Rules) bool {
		return slices.Contains(r.Apps, v.FAB) || len(r.Apps) == 0 && slices.Contains(r.Publishers, v.Publisher)
	})
	switch {
	case at >= 0 && all[at].State == Rejected:
		return refuse(RuleRejected, "you have rejected %s %s (%.16s)", v.App, v.Version, v.FAB)
	case p == Any, listed:
		return nil
	case at < 0 && p == Listed:
		return refuse(RuleListed, "the rules do not list %s %s, and it is not approved: blossomtune apps approve %.16s", v.App, v.Version, v.FAB)
	case at < 0:
		return refuse(RuleApproval, "%s %s waits for your approval: blossomtune apps approve %.16s", v.App, v.Version, v.FAB)
	case all[at].Deps != v.Deps:
		return refuse(RuleDependencies, "%s %s was approved with other packages; approve it again: blossomtune apps approve %.16s", v.App,
			v.Version, v.FAB)
	}
	return nil
}

// Packages checks what an approved version's environment has against its first run, which it notes. packages is a hash over what is
// installed; empty where the version has no environment of its own.
func (g *Gate) Packages(fab, packages string) error {
	rules, err := g.rules()
	if err != nil {
		return err
	}
	if g.policy(rules) == Any || packages == "" {
		return nil
	}
	all, err := g.Store.Decisions()
	if err != nil {
		return err
	}
	at := slices.IndexFunc(all, func(d Decision) bool { return d.FAB == fab && d.State == Approved })
	switch {
	case at < 0: // the rules list it
		return nil
	case all[at].Packages == "":
		return g.Store.Pin(fab, packages)
	case all[at].Packages != packages:
		return refuse(RulePackages, "the packages installed for %s %s are not those of its first run; approve it again: blossomtune "+
			"apps approve %.16s", all[at].App, all[at].Version, fab)
	}
	return nil
}

// MostBytes is what may leave in a round, where that is limited.
func (g *Gate) MostBytes() (n int64, limited bool, err error) {
	rules, err := g.rules()
	for _, r := range rules {
		if most, ok := r.MostBytes(); ok && (!limited || most < n) {
			n, limited = most, true
		}
	}
	return n, limited, err
}

// NoLogs reports whether the rules keep logs here. Rules that cannot be read do.
func (g *Gate) NoLogs() bool {
	rules, err := g.rules()
	return err != nil || slices.ContainsFunc(rules, func(r Rules) bool { return r.NoLogs() })
}

// IsRefusal returns the refusal in an error's chain.
func IsRefusal(err error) (*Refusal, bool) { return errors.AsType[*Refusal](err) }
