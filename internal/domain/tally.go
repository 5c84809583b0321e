package domain

// Tally are counts over all federations, for who watches a server.
type Tally struct {
	Runs     map[string]int // by [RunState]
	Nodes    map[string]int // enrolled keys that are not revoked, by [NodeStatus]
	Requests map[string]int // to join, by state
	Mails    map[string]int // by state
}
