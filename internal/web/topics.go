package web

import (
	"strconv"
	"time"

	"blossomtune/internal/onboarding"
	"blossomtune/internal/runs"
)

// pollActive is how often a stream looks by itself while something may change without an event: metrics and exchanges are
// stored by the keeper, another process.
const pollActive = 2 * time.Second

func requestTopic(id int64) string    { return onboarding.RequestTopic(id) }
func requestsTopic(fed int64) string  { return onboarding.RequestsTopic(fed) }
func settingsTopic(fed int64) string  { return onboarding.FederationTopic(fed) }
func runsTopic(fed int64) string      { return runs.FederationTopic(fed) }
func runTopic(id int64) string        { return runs.RunTopic(id) }
func superLinkTopic(fed int64) string { return "engine:" + strconv.FormatInt(fed, 10) }

// nodesGap is between two looks of all who see the same page that shows SuperNodes.
const nodesGap = time.Second

const mailTopic = "mail"

func fedTopics(id int64) []string {
	return []string{settingsTopic(id), requestsTopic(id), runsTopic(id), superLinkTopic(id)}
}
