// Package ledger keeps a participant's own record of everything that left the machine because of a federation: an append-only file of JSON
// lines. Each line carries the hash of the line before it, so a line that was edited, removed or added is found; see [Check].
package ledger

import "time"

// What tells the kinds of entries apart.
type What string

// The kinds of entries.
const (
	Reply  What = "reply" // written before any part of a reply is sent
	Failed What = "error" // an error reply; likewise
	Sent   What = "sent"  // what the work on a message has sent, written afterwards
	Log    What = "log"   // lines of a log, shared with the federation's managers
	Exit   What = "exit"  // the report of an app that failed
)

// Entry is one line. Fields that do not apply to its kind are empty.
type Entry struct {
	N    int64     `json:"n"` // 1, 2, 3 …
	At   time.Time `json:"at"`
	Prev string    `json:"prev"` // the hash of the line before; zeros in the first line

	What       What     `json:"what"`
	Server     string   `json:"server"`
	Federation string   `json:"federation"`
	Run        string   `json:"run,omitempty"`      // the SuperLink's id
	RunName    string   `json:"run_name,omitempty"` // as the server says
	Node       string   `json:"node,omitempty"`     // this machine's SuperNode id
	App        string   `json:"app,omitempty"`      // SHA-256 of the FAB
	Round      string   `json:"round,omitempty"`
	Type       string   `json:"type,omitempty"`    // of the message: train, evaluate …
	Message    string   `json:"message,omitempty"` // the id of the message that is answered
	Object     string   `json:"object,omitempty"`  // the reply's root object; its hash covers all the others
	Records    []Record `json:"records,omitempty"`
	Objects    []Object `json:"objects,omitempty"`
	Bytes      int64    `json:"bytes"`            // of the objects; of all calls for the message (sent); of the text (log, exit)
	Reason     string   `json:"reason,omitempty"` // of an error reply
	Part       string   `json:"part,omitempty"`   // which log
	Lines      int      `json:"lines,omitempty"`
	Text       string   `json:"text_sha256,omitempty"` // of what was shared
	Late       bool     `json:"late,omitempty"`        // it left before it could be written

	Hash string `json:"-"` // of this line
}

// Record is one named part of a reply.
type Record struct {
	Name   string  `json:"name"`
	Kind   string  `json:"kind"`
	Bytes  int64   `json:"bytes"`
	Object string  `json:"object"`
	Arrays []Array `json:"arrays,omitempty"`
}

// Array is one array of a record.
type Array struct {
	Name   string  `json:"name"`
	DType  string  `json:"dtype,omitempty"`
	Shape  []int64 `json:"shape,omitempty"`
	Bytes  int64   `json:"bytes"`
	Object string  `json:"object"`
}

// Object is one object of a reply: its id is the SHA-256 of its content.
type Object struct {
	ID    string `json:"id"`
	Kind  string `json:"kind"`
	Bytes int64  `json:"bytes"`
}
