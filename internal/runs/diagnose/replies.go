package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"
	"blossomtune/internal/pyerror"
)

// reason is why ClientApps failed that failed for the same reason.
type reason struct {
	key     string // the same for the same reason
	message string // "raised KeyError", to follow a name
	remedy  string
	place   string // of the app, where the agents tell
	texts   []string
	nodes   []uint64
	own     bool // message is about a general exception, so its text may be added
	error   string
}

// failed counts who failed in the phase that a run ended in.
type failed struct {
	asked   int
	nodes   []uint64
	reasons []reason // the most frequent first
}

// byReplies returns the cause of a run whose participants failed: the ServerApp's own error is then what followed from it. It reports
// false unless most of those who were asked in the newest round failed; all is true when no one else was asked.
func (f Facts) byReplies() (c domain.Cause, all, ok bool) {
	by, found := failedOf(f.Asked, f.Exits)
	if !found {
		return c, false, false
	}
	c = by.cause(f.Keys)
	if first := by.reasons[0]; strings.Contains(first.message, anotherFlower) {
		c.Message = strings.TrimSuffix(c.Message, ".") + flowersOf(first.nodes, f.Keys, f.appFlwr()) + "."
	}
	c.LogLine = lineOf(f.Log, by.reasons[0].error)
	return c, len(by.nodes) == by.asked, true
}

// NothingTrained is the cause of a run that completed although no participant gave a reply without an error. The facts are those of
// its participants' replies; its log has no part in it.
func (f Facts) NothingTrained(failures []AppFailure) domain.Cause {
	c := domain.Cause{Code: domain.CauseNothingTrained, Where: "ClientApps",
		Remedy: "Check that their SuperNodes are online, then run it again."}
	failed := map[uint64]bool{}
	for _, a := range failures {
		failed[a.NodeID] = true
	}
	f.Log = nil
	why, _, known := f.byReplies()
	switch asked := f.Run.Asked; {
	case known:
		c.Where, c.Message, c.Remedy = why.Where, "Nothing was trained. "+why.Message, why.Remedy
	case len(failed) == 0:
		c.Message = fmt.Sprintf("Nothing was trained: %s asked and none replied.", wereWords(asked))
	default:
		c.Message = fmt.Sprintf("Nothing was trained: %s asked, %d failed and %d did not reply.", wereWords(asked), len(failed),
			max(asked-len(failed), 0))
	}
	return c
}

func wereWords(n int) string {
	if n == 1 {
		return "1 participant was"
	}
	return fmt.Sprintf("%d participants were", n)
}

// flowersOf says which Flower SuperNodes run, as their agents tell, and which one the app asks for.
func flowersOf(nodes []uint64, keys []domain.NodeKey, asks string) (words string) {
	var run []string
	for _, k := range keys {
		if v := k.Seen.Flwr; v != "" && slices.Contains(nodes, k.NodeID) && !slices.Contains(run, v) {
			run = append(run, v)
		}
	}
	slices.Sort(run)
	if len(run) > 0 {
		words = "; installed there: flwr " + strings.Join(run, ", ")
	}
	if asks != "" {
		words += "; its pyproject.toml asks for " + asks
	}
	return words
}

// lineOf finds the newest line of a log that has an error reply's words; 0 where there is none.
func lineOf(lines []logfile.Line, reply string) int {
	if reply = firstLine(reply); reply == "" {
		return 0
	}
	for _, l := range slices.Backward(lines) {
		if strings.Contains(l.Text, reply) {
			return l.N
		}
	}
	return 0
}

// failedOf finds the phase of a round in which most of the SuperNodes that were asked failed. Each counts by what it was asked last.
func failedOf(asked []domain.Exchange, exits []domain.AppExit) (failed, bool) {
	for _, phase := range []domain.Phase{domain.PhaseTrain, domain.PhaseEvaluate, domain.PhaseOther} {
		last := newestOf(asked, phase)
		f := failed{asked: len(last)}
		for _, e := range last {
			if e.Failed {
				f.nodes = append(f.nodes, e.NodeID)
				f.add(reasonOf(e, exits))
			}
		}
		if 2*len(f.nodes) > f.asked {
			slices.SortStableFunc(f.reasons, func(a, b reason) int { return cmp.Compare(len(b.nodes), len(a.nodes)) })
			return f, true
		}
	}
	return failed{}, false
}

// newestOf is what each SuperNode was asked last in a phase, by SuperNode.
func newestOf(asked []domain.Exchange, phase domain.Phase) (out []domain.Exchange) {
	at := map[uint64]int{} // in out, by SuperNode
	for _, e := range asked {
		if e.Phase != phase {
			continue
		}
		i, again := at[e.NodeID]
		if !again {
			at[e.NodeID], out = len(out), append(out, e)
		} else if e.AskedAt.After(out[i].AskedAt) {
			out[i] = e
		}
	}
	return out
}

func (f *failed) add(r reason) {
	i := slices.IndexFunc(f.reasons, func(known reason) bool { return known.key == r.key })
	if i < 0 {
		f.reasons = append(f.reasons, r)
		return
	}
	known := &f.reasons[i]
	known.nodes, known.texts = append(known.nodes, r.nodes...), append(known.texts, r.texts...)
	if known.place == "" { // a plain SuperNode tells less than an agent
		known.place, known.message, known.remedy, known.own = r.place, r.message, r.remedy, r.own
	}
}

// reasonOf says why a SuperNode's reply is an error, from the reply and from what its agent told.
func reasonOf(e domain.Exchange, exits []domain.AppExit) reason {
	r := reason{nodes: []uint64{e.NodeID}, error: e.Error}
	var lost bool
	r.message, r.remedy, lost = errorWords(e.Error)
	r.key = r.message
	var exit domain.AppExit
	for _, x := range exits {
		if x.NodeID == e.NodeID {
			exit = x // the newest
		}
	}
	ex, raised := pyerror.FromReply(e.Error)
	switch {
	case raised:
		r.texts = []string{ex.Message}
		if r.own = r.message == "raised "+ex.Kind+"."; r.own {
			r.key = ex.Kind + ": " + pyerror.Normal(ex.Full())
		}
		if exit.Kind == ex.Kind {
			r.place = exitPlace(exit)
			if n := (pyerror.Network{Trouble: pyerror.Trouble(exit.Trouble), Address: exit.Address}); n.Trouble != "" {
				r.message, r.remedy, r.own = n.Said()+".", n.Remedy("that machine"), false // it knows more than the reply
			}
		}
	case exit.NodeID != 0 && !lost:
		r.key += exit.Kind + exit.Module
		r.message, r.remedy = appWords(exit)
		r.place = exitPlace(exit)
	}
	return r
}

// maxText bounds what a headline shows of an exception's text, in bytes.
const maxText = 200

// words say what these ClientApps did, to follow their names. The text of an exception may hold a participant's data, so it is shown
// only as far as several participants' agree.
func (r reason) words() string {
	text := ""
	if r.own && len(r.nodes) > 1 && len(r.texts) == len(r.nodes) {
		text = r.texts[0]
		for _, t := range r.texts[1:] {
			if t != r.texts[0] {
				text = pyerror.Normal(r.texts[0])
			}
		}
	}
	said := strings.TrimSuffix(r.message, ".")
	if text != "" {
		said += " " + domain.Cut(text, maxText)
	}
	if r.place != "" {
		said += ", " + r.place
	}
	return said
}

// plural makes words that follow one name follow several.
func plural(words string) string {
	for _, p := range [][2]string{{"was ", "were "}, {"has ", "have "}, {"cannot ", "failed to "}, {"could not ", "failed to "}} {
		if rest, ok := strings.CutPrefix(words, p[0]); ok {
			words = p[1] + rest
			break
		}
	}
	return strings.NewReplacer(" before it ", " before they ", " its proxy", " their proxy", ": its Flower ", ": their Flower ", "its owner has set", "their owners have set", "ended its process", "ended their processes").Replace(words)
}

// cause is the headline of a run whose participants failed, and what to do.
func (f failed) cause(keys []domain.NodeKey) domain.Cause {
	first := f.reasons[0]
	c := domain.Cause{Code: domain.CauseParticipants, Where: "ClientApps", Remedy: first.remedy}
	who := fmt.Sprintf("%d of %d participants", len(f.nodes), f.asked)
	switch {
	case len(f.nodes) == f.asked && f.asked == 2:
		who = "Both participants"
	case len(f.nodes) == f.asked:
		who = fmt.Sprintf("All %d participants", f.asked)
	}
	switch {
	case f.asked == 1:
		who = domain.FirstUpper(namesOf(f.nodes, keys))
		c.Where, c.Message = who, who+" "+first.words()+"."
	case len(f.reasons) == 1:
		c.Message = who + " " + plural(first.words()) + "."
	default:
		words := first.words()
		if len(first.nodes) > 1 {
			words = plural(words)
		}
		others := len(f.nodes) - len(first.nodes)
		c.Message = fmt.Sprintf("%s failed: %s %s, and %d more for %s.", who, namesOf(first.nodes, keys), words, others, count(len(f.reasons)-1, "other reason"))
	}
	if first.own && len(first.nodes) > 1 {
		c.Remedy = "Fix the app so that its ClientApp works on these machines, add the new version and launch again."
	}
	return c
}

// namesOf names SuperNodes by their partitions where those are known.
func namesOf(nodes []uint64, keys []domain.NodeKey) string {
	var known []int
	for _, k := range keys {
		if slices.Contains(nodes, k.NodeID) {
			known = append(known, k.Partition)
		}
	}
	if len(known) < len(nodes) {
		return count(len(nodes), "SuperNode")
	}
	return Partitions(known)
}
