// Package keeper cares for processes: children whose output goes to files and whose whole group ends with them, processes
// of our own binary that outlive us, a restart policy, and identities that a reused process id cannot fake.
package keeper
