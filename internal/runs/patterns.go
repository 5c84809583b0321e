package runs

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"
)

// known looks for failures whose words the log has, and says them with what they need: which key, package or participant. It
// reports false where none is found. The lines are those of flwr 1.42.
func (s *Service) known(ctx context.Context, run domain.Run, lines []logfile.Line, ex exception) (message, remedy string, ok bool) {
	if why := halted(lines); why != "" {
		message, remedy = s.haltedRound(ctx, run, lines, why)
		return message, remedy, true
	}
	if ex.Kind == "KeyError" {
		return s.lackingKey(ctx, run, ex)
	}
	for i := len(lines) - 1; i >= 0; i-- {
		text := plain(lines[i].Text)
		if unequalPattern.MatchString(text) || missingPattern.MatchString(text) {
			return s.unequalReplies(ctx, run, text)
		}
	}
	return "", "", false
}

var (
	missingPattern = regexp.MustCompile("Missing required key `([^`]+)` in the MetricRecord")
	unequalPattern = regexp.MustCompile(`All MetricRecords must have the same keys`)
)

// inRound names the round that the lines end in.
func inRound(lines []logfile.Line) string {
	for i := len(lines) - 1; i >= 0; i-- {
		if n, _, ok := roundSaid(strings.TrimSpace(plain(lines[i].Text))); ok {
			return fmt.Sprintf(" in round %d", n)
		}
	}
	return ""
}

// lackingKey has the words for a KeyError on a name that the app's run config has not. One that a library raised, or a line that does
// not read a config, is about something else.
func (s *Service) lackingKey(ctx context.Context, run domain.Run, ex exception) (message, remedy string, ok bool) {
	key := strings.Trim(ex.Message, `'"`)
	if key == "" || ex.library || ex.at.Code != "" && !strings.Contains(ex.at.Code, "conf") && !strings.Contains(ex.at.Code, "cfg") {
		return "", "", false
	}
	var app domain.AppVersion
	err := s.Store.View(ctx, func(tx Tx) (err error) { app, err = tx.AppVersionByHash(ctx, run.AppHash, false); return err })
	if err != nil || slices.ContainsFunc(app.Config, func(k domain.ConfigKey) bool { return k.Key == key }) {
		return "", "", false
	}
	return fmt.Sprintf("The ServerApp raised KeyError '%s'%s; the run config lacks it.", key, ex.place()),
		fmt.Sprintf("Add %s with a default to [tool.flwr.app.config] in the app's pyproject.toml, add the new version and clone this run with it. Flower takes no key at a launch that is not there. If it is no config key, mend the line.", key), true
}

// unequalReplies says which participants sent other metrics than the rest, or that all lack the key that replies are weighted by.
func (s *Service) unequalReplies(ctx context.Context, run domain.Run, text string) (message, remedy string, ok bool) {
	weight := "num-examples"
	if m := missingPattern.FindStringSubmatch(text); m != nil {
		weight = m[1]
	}
	message, remedy = "Replies cannot be averaged: no participant sent "+weight+".", "Return it in train and evaluate."
	if unequalPattern.MatchString(text) {
		message, remedy = "Replies cannot be averaged: participants sent different metrics.", "Return the same metrics everywhere, "+weight+" among them."
	}
	sent, keys, err := s.sentIn(ctx, run)
	if err != nil {
		return message, remedy, true // the log's own words are enough
	}
	all := map[string]int{}
	for _, names := range sent {
		for name := range names {
			all[name]++
		}
	}
	for _, node := range slices.Sorted(maps.Keys(sent)) {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if sent[node][name] || 2*all[name] <= len(sent) {
				continue
			}
			for _, k := range keys {
				if k.NodeID == node {
					return fmt.Sprintf("Replies cannot be averaged: partition %d sent no %s.", k.Partition, name), "Return it in train and evaluate, whatever that machine's data is.", true
				}
			}
		}
	}
	return message, remedy, true
}

// sentIn tells which metrics each SuperNode sent in a run's newest round.
func (s *Service) sentIn(ctx context.Context, run domain.Run) (map[uint64]map[string]bool, []domain.NodeKey, error) {
	var all []domain.Metric
	var keys []domain.NodeKey
	err := s.Store.View(ctx, func(tx Tx) (err error) {
		if all, err = tx.Metrics(ctx, run.FederationID, run.EngineRunID, 0, 0); err != nil {
			return err
		}
		keys, err = tx.NodeKeys(ctx, run.FederationID)
		return err
	})
	newest := 0
	for _, m := range all {
		if m.NodeID != 0 && m.Phase == domain.PhaseTrain {
			newest = max(newest, m.Round)
		}
	}
	out := map[uint64]map[string]bool{}
	for _, m := range all {
		if m.NodeID == 0 || m.Phase != domain.PhaseTrain || m.Round != newest {
			continue
		}
		if out[m.NodeID] == nil {
			out[m.NodeID] = map[string]bool{}
		}
		out[m.NodeID][m.Name] = true
	}
	return out, keys, err
}
