package domain

import (
	"slices"
	"time"
)

// WebhookShape is the form of what a webhook is sent.
type WebhookShape string

// Shapes of webhooks.
const (
	WebhookJSON   WebhookShape = "json"   // our own, see docs/notifications.md
	WebhookSlack  WebhookShape = "slack"  // an incoming webhook of Slack, or of a program that takes the same
	WebhookMatrix WebhookShape = "matrix" // an m.room.message event for Matrix's client-server API, v3
	WebhookText   WebhookShape = "text"   // plain text
)

// WebhookShapes are all shapes.
var WebhookShapes = []WebhookShape{WebhookJSON, WebhookSlack, WebhookMatrix, WebhookText}

// Webhook is an address that is notified. Its URL and secrets are sealed with a key that is not in the database.
type Webhook struct {
	ID           int64
	FederationID int64 // 0: of the instance; it gets what admins are notified of and the notices of all federations
	Name         string
	Shape        WebhookShape
	Kinds        []NoticeKind
	Host         string // of its URL, for people
	Private      bool   // an admin lets it reach private addresses and plain HTTP
	Paused       bool
	Sealed       []byte
	CreatedBy    string
	CreatedAt    time.Time
}

// Limits of webhooks.
const (
	MaxWebhooks    = 20 // of a federation
	MaxWebhookURL  = 2000
	MaxWebhookName = 80
)

// Wants reports whether the webhook gets notices of a kind.
func (w Webhook) Wants(k NoticeKind) bool { return !w.Paused && slices.Contains(w.Kinds, k) }

// DeliveryState is where a delivery stands.
type DeliveryState string

// States of a delivery.
const (
	DeliveryQueued DeliveryState = "queued"
	DeliverySent   DeliveryState = "sent"
	DeliveryDead   DeliveryState = "dead" // given up
)

// Delivery is one notice on its way to one webhook.
type Delivery struct {
	ID        int64
	WebhookID int64
	Notice    Notice
	State     DeliveryState
	Tries     int
	NextAt    time.Time
	Status    int           // of the last answer; 0: none came
	LastError string        // of the last try
	Took      time.Duration // the last try
	CreatedAt time.Time
	SentAt    time.Time
}
