package domain

import "time"

// Glance is what a federation comes to at a moment, for who watches several.
type Glance struct {
	Federation
	Role    Role      // of the one who looks: [RoleViewer] or more
	Pending int       // requests
	Oldest  time.Time // since when the first of them waits; zero without one
	Held    int       // partitions
	Nodes   NodeCount
}

// Place is a federation with what somebody is in it.
type Place struct {
	Federation
	Role Role // [RoleParticipant] or more
}

// RunPart is a part of what is kept of a run: from a round on, and of one metric where it is asked for metrics.
type RunPart struct {
	Run Run
	MetricName
	From int
}

// Gone is a SuperNode that was seen since a run began which has not ended, and is not online now.
type Gone struct {
	RunID     int64
	Partition int
	LastAt    time.Time
}

// Absent are the people of a federation who were approved before a moment and whose SuperNode has never been seen.
type Absent struct {
	FederationID int64
	People       int
	Oldest       time.Time // when the first of them was approved
	Names        []string  // of those who were approved first
}

// Lost is how many mails were given up since a moment.
type Lost struct {
	Mails  int
	Oldest time.Time
}
