package overview

import (
	"cmp"
	"slices"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
)

// NeedKind is what somebody is needed for.
type NeedKind string

// Kinds of needs.
const (
	NeedSuperLink NeedKind = "superlink" // it failed or cannot be reached
	NeedRequests  NeedKind = "requests"  // people wait for an answer
	NeedFailure   NeedKind = "failure"   // a run failed, or nothing was trained in it, see [FailuresFor]
	NeedRun       NeedKind = "run"       // a run waits for what will not come by itself
	NeedNodes     NeedKind = "nodes"     // SuperNodes of a running run went away
	NeedMail      NeedKind = "mail"      // mails were given up
	NeedConnect   NeedKind = "connect"   // people were approved and have never connected, see [AbsentAfter]
)

// Need is one thing that needs somebody who may do something about it.
type Need struct {
	Kind       NeedKind
	Since      time.Time // zero where that is not known
	Fed        Fed       // but of mails
	Run        domain.Run
	Wait       runs.Wait
	Names      []string // of those who wait longest
	People     int      // who have never connected
	Partitions []int    // of SuperNodes that went away
	Mails      int
}

// needs lists what needs who looks: only what they may do something about. SuperLinks come first, since without them nothing runs;
// then whatever waits longest.
func (o *Overview) needs(x found) {
	at := map[int64]Fed{}
	for _, f := range o.Feds {
		if !f.Manager() {
			continue
		}
		at[f.ID] = f
		if broken(f.Link) {
			o.Needs = append(o.Needs, Need{Kind: NeedSuperLink, Since: f.Link.Since, Fed: f})
		}
		if f.Pending > 0 {
			o.Needs = append(o.Needs, Need{Kind: NeedRequests, Since: f.Oldest, Fed: f, Names: x.askers[f.ID]})
		}
	}
	for _, r := range x.failed {
		o.Needs = append(o.Needs, Need{Kind: NeedFailure, Since: r.EndedAt, Fed: at[r.FederationID], Run: r})
	}
	for _, r := range o.Running {
		if n, needed := r.need(x.gone); needed && r.Fed.Manager() {
			o.Needs = append(o.Needs, n)
		}
	}
	for _, a := range x.absent {
		o.Needs = append(o.Needs, Need{Kind: NeedConnect, Since: a.Oldest, Fed: at[a.FederationID], Names: a.Names, People: a.People})
	}
	if x.lost.Mails > 0 {
		o.Needs = append(o.Needs, Need{Kind: NeedMail, Since: x.lost.Oldest, Mails: x.lost.Mails})
	}
	slices.SortStableFunc(o.Needs, func(a, b Need) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), a.Since.Compare(b.Since))
	})
	o.MoreNeeds = max(len(o.Needs)-MaxNeeds, 0)
	o.Needs = o.Needs[:len(o.Needs)-o.MoreNeeds]
}

func rank(n Need) int {
	if n.Kind == NeedSuperLink {
		return 0
	}
	return 1
}

// need is what a run needs somebody for: what it waits for in vain, else SuperNodes that left it. A SuperLink that is down is a
// need of its own.
func (r Running) need(gone []domain.Gone) (Need, bool) {
	n := Need{Kind: NeedNodes, Fed: r.Fed, Run: r.Run}
	if broken(r.Fed.Link) {
		return n, false
	}
	for _, g := range gone {
		if g.RunID == r.ID {
			n.Partitions = append(n.Partitions, g.Partition)
			if n.Since.IsZero() || g.LastAt.Before(n.Since) {
				n.Since = g.LastAt
			}
		}
	}
	if r.Wait.Late {
		n.Kind, n.Since, n.Wait = NeedRun, cmp.Or(r.Wait.Since, n.Since), r.Wait
		return n, true
	}
	return n, len(n.Partitions) > 0
}
