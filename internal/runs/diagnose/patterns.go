package diagnose

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"
	"blossomtune/internal/runs/applog"
)

// known looks for failures whose words the log has, and says them with what they need: which key, package or participant. It
// reports false where none is found. The lines are those of flwr 1.42.
func (f Facts) known(ex exception) (message, remedy string, ok bool) {
	if why := halted(f.Log); why != "" {
		message, remedy = f.haltedRound(why)
		return message, remedy, true
	}
	if ex.Kind == "KeyError" {
		return f.lackingKey(ex)
	}
	if text, ok := unequalLine(f.Log); ok {
		message, remedy = f.unequalReplies(text)
		return message, remedy, true
	}
	return "", "", false
}

// Unequal reports whether a log says that replies cannot be averaged, so that [Facts.Sent] is needed.
func Unequal(lines []logfile.Line) bool {
	_, ok := unequalLine(lines)
	return ok
}

func unequalLine(lines []logfile.Line) (text string, ok bool) {
	for _, l := range slices.Backward(lines) {
		if text := applog.Plain(l.Text); unequalPattern.MatchString(text) || missingPattern.MatchString(text) {
			return text, true
		}
	}
	return "", false
}

var (
	missingPattern = regexp.MustCompile("Missing required key `([^`]+)` in the MetricRecord")
	unequalPattern = regexp.MustCompile(`All MetricRecords must have the same keys`)
)

// inRound names the round that the lines end in.
func inRound(lines []logfile.Line) string {
	for i := len(lines) - 1; i >= 0; i-- {
		if n, _, ok := applog.RoundSaid(strings.TrimSpace(applog.Plain(lines[i].Text))); ok {
			return fmt.Sprintf(" in round %d", n)
		}
	}
	return ""
}

// lackingKey has the words for a KeyError on a name that the app's run config has not. One that a library raised, or a line that does
// not read a config, is about something else.
func (f Facts) lackingKey(ex exception) (message, remedy string, ok bool) {
	key := strings.Trim(ex.Message, `'"`)
	if key == "" || ex.library || ex.at.Code != "" && !strings.Contains(ex.at.Code, "conf") && !strings.Contains(ex.at.Code, "cfg") {
		return "", "", false
	}
	if f.App.Hash == "" || slices.ContainsFunc(f.App.Config, func(k domain.ConfigKey) bool { return k.Key == key }) {
		return "", "", false
	}
	return fmt.Sprintf("The ServerApp raised KeyError '%s'%s; the run config lacks it.", key, ex.place()),
		fmt.Sprintf("Add %s with a default to [tool.flwr.app.config] in the app's pyproject.toml, add the new version and clone this run with it. Flower takes no key at a launch that is not there. If it is no config key, mend the line.", key), true
}

// unequalReplies says which participants sent other metrics than the rest, or that all lack the key that replies are weighted by.
func (f Facts) unequalReplies(text string) (message, remedy string) {
	weight := "num-examples"
	if m := missingPattern.FindStringSubmatch(text); m != nil {
		weight = m[1]
	}
	message, remedy = "Replies cannot be averaged: no participant sent "+weight+".", "Return it in train and evaluate."
	if unequalPattern.MatchString(text) {
		message, remedy = "Replies cannot be averaged: participants sent different metrics.", "Return the same metrics everywhere, "+weight+" among them."
	}
	all := map[string]int{}
	for _, names := range f.Sent {
		for name := range names {
			all[name]++
		}
	}
	for _, node := range slices.Sorted(maps.Keys(f.Sent)) {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if f.Sent[node][name] || 2*all[name] <= len(f.Sent) {
				continue
			}
			for _, k := range f.Keys {
				if k.NodeID == node {
					return fmt.Sprintf("Replies cannot be averaged: partition %d sent no %s.", k.Partition, name),
						"Return it in train and evaluate, whatever that machine's data is."
				}
			}
		}
	}
	return message, remedy
}
