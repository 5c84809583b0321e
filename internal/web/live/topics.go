package live

import (
	"time"

	"blossomtune/internal/engines"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/runs"
)

// PollActive is how often a stream looks by itself while something may change without an event: metrics and exchanges are
// stored by the keeper, another process.
const PollActive = 2 * time.Second

func RequestTopic(id int64) string   { return onboarding.RequestTopic(id) }
func requestsTopic(fed int64) string { return onboarding.RequestsTopic(fed) }
func settingsTopic(fed int64) string { return onboarding.FederationTopic(fed) }
func RunsTopic(fed int64) string     { return runs.FederationTopic(fed) }
func RunTopic(id int64) string       { return runs.RunTopic(id) }

// SharedGap is between two looks of all who see the same page that shows SuperNodes.
const SharedGap = time.Second

const MailTopic = "mail"

func FederationTopics(id int64) []string {
	return []string{settingsTopic(id), requestsTopic(id), RunsTopic(id), engines.Topic(id)}
}
