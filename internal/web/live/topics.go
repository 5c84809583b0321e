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

// RequestTopic is the topic of one request's events.
func RequestTopic(id int64) string   { return onboarding.RequestTopic(id) }
func requestsTopic(fed int64) string { return onboarding.RequestsTopic(fed) }
func settingsTopic(fed int64) string { return onboarding.FederationTopic(fed) }

// RunsTopic is the topic of the events of all runs of a federation.
func RunsTopic(fed int64) string { return runs.FederationTopic(fed) }

// RunTopic is the topic of one run's events.
func RunTopic(id int64) string { return runs.RunTopic(id) }

// SharedGap is between two looks of all who see the same page that shows SuperNodes.
const SharedGap = time.Second

// MailTopic is the topic of the outbox.
const MailTopic = "mail"

// FederationTopics are the topics of all that the head of a federation's pages shows.
func FederationTopics(id int64) []string {
	return []string{settingsTopic(id), requestsTopic(id), RunsTopic(id), engines.Topic(id)}
}
