package client

import "time"

// Notification is how the caller is notified of one kind of event.
type Notification struct {
	Kind   string `json:"kind" doc:"Such as run_failed, see /docs/notifications"`
	Label  string `json:"label"`
	Mode   string `json:"mode" enum:"off,now,daily"`
	Chosen bool   `json:"chosen" doc:"Chosen by the caller; false: the default of their role"`
}

// Notifications are how the caller is notified in one federation, or about the server.
type Notifications struct {
	Federation string         `json:"federation" doc:"Empty: about the server, for admins"`
	Kinds      []Notification `json:"kinds"`
}

// NotificationChoice says how the caller wants to be notified.
type NotificationChoice struct {
	Federation string            `json:"federation,omitempty" maxLength:"40" doc:"Empty: about the server, for admins"`
	Modes      map[string]string `json:"modes" maxProperties:"40" doc:"off, now or daily, by kind. Other kinds stay as they are"`
}

// WebhookFields are what can be changed of a webhook.
type WebhookFields struct {
	Name    string   `json:"name" minLength:"1" maxLength:"80"`
	URL     string   `json:"url,omitempty" maxLength:"2000" doc:"Leave it out of a change to keep the URL"`
	Token   string   `json:"token,omitempty" maxLength:"1000" doc:"Matrix: the access token of a user who is in the room"`
	Kinds   []string `json:"kinds" minItems:"1" maxItems:"40" doc:"Such as run_failed, see /docs/notifications"`
	Private bool     `json:"private,omitempty" doc:"Let it reach private addresses and plain HTTP. Only instance admins can"`
	Paused  bool     `json:"paused,omitempty"`
}

// NewWebhook is a webhook to add.
type NewWebhook struct {
	WebhookFields
	Format string `json:"format" enum:"json,slack,matrix,text" default:"json"`
}

// Webhook is an address that is notified.
type Webhook struct {
	ID        int64     `json:"id"`
	Name      string    `json:"name"`
	Format    string    `json:"format" enum:"json,slack,matrix,text"`
	Kinds     []string  `json:"kinds"`
	Host      string    `json:"host" doc:"Of its URL; the rest of the URL is not shown"`
	Private   bool      `json:"private" doc:"It may reach private addresses and plain HTTP"`
	Paused    bool      `json:"paused"`
	Secret    string    `json:"secret,omitempty" doc:"Signs what is sent. Shown once: when the webhook is added or the secret is replaced"`
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
}

// Delivery is one notification on its way to a webhook.
type Delivery struct {
	ID        int64      `json:"id"`
	Event     int64      `json:"event" doc:"The id in its body: the same for each webhook and each try"`
	Kind      string     `json:"kind"`
	State     string     `json:"state" enum:"queued,sent,dead" doc:"dead: given up after 36 hours"`
	Tries     int        `json:"tries"`
	Status    int        `json:"status,omitempty" doc:"HTTP status of the last answer"`
	Error     string     `json:"error,omitempty" doc:"Of the last try"`
	Took      float64    `json:"took" doc:"Seconds that the last try took"`
	CreatedAt time.Time  `json:"created_at"`
	NextAt    *time.Time `json:"next_at,omitempty" doc:"When a queued one is tried next"`
	SentAt    *time.Time `json:"sent_at,omitempty"`
}

// NotificationRules are the delays before managers are notified of a condition in a federation; 0 is never.
type NotificationRules struct {
	Offline     int  `json:"offline_minutes" doc:"SuperNodes that are offline"`
	Unconnected int  `json:"unconnected_hours" doc:"People who were approved and have never connected"`
	Waiting     int  `json:"waiting_hours" doc:"Requests to join"`
	Remind      bool `json:"remind" doc:"People who have not connected after unconnected_hours get one reminder by mail"`
}

// NotificationRulesChange changes the rules; what it leaves out stays.
type NotificationRulesChange struct {
	Offline     *int  `json:"offline_minutes,omitempty" minimum:"0" maximum:"129600"`
	Unconnected *int  `json:"unconnected_hours,omitempty" minimum:"0" maximum:"2160"`
	Waiting     *int  `json:"waiting_hours,omitempty" minimum:"0" maximum:"2160"`
	Remind      *bool `json:"remind,omitempty"`
}
