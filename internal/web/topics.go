package web

import (
	"time"

	"blossomtune/internal/engines"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/runs"
)

// pollActive is how often a stream looks by itself while something may change without an event: metrics and exchanges are
// stored by the keeper, another process.
const pollActive = 2 * time.Second

func requestTopic(id int64) string   { return onboarding.RequestTopic(id) }
func requestsTopic(fed int64) string { return onboarding.RequestsTopic(fed) }
func settingsTopic(fed int64) string { return onboarding.FederationTopic(fed) }
func runsTopic(fed int64) string     { return runs.FederationTopic(fed) }
func runTopic(id int64) string       { return runs.RunTopic(id) }

// nodesGap is between two looks of all who see the same page that shows SuperNodes.
const nodesGap = time.Second

const mailTopic = "mail"

func fedTopics(id int64) []string {
	return []string{settingsTopic(id), requestsTopic(id), runsTopic(id), engines.Topic(id)}
}
