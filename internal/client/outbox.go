package client

import (
	"time"
)

// Mail is one mail of the outbox.
type Mail struct {
	ID        int64     `json:"id"`
	To        string    `json:"to"`
	Subject   string    `json:"subject"`
	Text      string    `json:"text" doc:"Empty once it was sent"`
	State     string    `json:"state" enum:"queued,held,sent,dead"`
	LastError string    `json:"last_error,omitempty"`
	CreatedAt time.Time `json:"created_at"`
}
