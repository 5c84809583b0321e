package domain

// Shapes is what a ServerApp's newest replies with arrays say of the arrays' shapes.
type Shapes struct {
	Round   int      `json:"round"`
	Replies int      `json:"replies"`           // whose shapes are known
	Unread  int      `json:"unread,omitempty"`  // with more arrays, or kinds of shapes, than are looked at
	Differ  []Misfit `json:"differ,omitempty"`  // the first arrays that do not have the same shape in all of them, at most [MaxMisfits]
	Further int      `json:"further,omitempty"` // other arrays of that kind
}

// Misfit is an array that has not the same shape in all replies.
type Misfit struct {
	Array string      `json:"array"`
	Sent  []SentShape `json:"sent"` // that of the most SuperNodes first
}

// SentShape is a shape of an array, and who sent it so.
type SentShape struct {
	Shape string   `json:"shape"` // "(10, 64)"; "" where they sent no such array
	Count int      `json:"count"`
	Nodes []uint64 `json:"nodes"` // the first, at most [MaxSenders]
}

// Bounds of [Shapes].
const (
	MaxMisfits = 8
	MaxSenders = 20
)
