package domain

// NodeLog is a part of a log that an agent sends because its owner agreed.
type NodeLog struct {
	Part    string // "supernode" or "clientapp"
	Run     string // the SuperLink's id of the run, of a ClientApp
	LeftOut int    // lines before these that were not sent
	Lines   []string
}

// MaxNodeLog bounds the lines of one part, in bytes.
const MaxNodeLog = 64 << 10
