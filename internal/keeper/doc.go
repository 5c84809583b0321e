// Package keeper runs processes: children whose output goes to files and that leave nothing behind, processes of our own binary that
// outlive us, a restart policy, and identities that a reused process id cannot fake.
//
// On Linux each child has a reaper (package reaper) between itself and this process: our own binary again, as a subreaper. Only a
// subreaper of its own can tell whose descendant an orphan is. A process that is the subreaper of all its children cannot: when an
// orphan reaches it, the parents that led to a child are gone, and killing by guess could end what another child still needs. A PID
// namespace would do it too, but some distributions refuse them to ordinary users. A reaper takes 5 to 8 ms of a child's start and
// 1.5 MB of memory that is not shared. Processes of a [Template] are forked together with a reaper.
//
// A killed reaper takes its child with it. What else was below it falls to this process, if it has called [Adopt], and is killed there.
// When this process is killed, the reapers see it and kill what they have. Only when both are killed at the same moment can a process
// that left its group and session live on.
//
// Other systems have no subreapers: there a child's group ends with it, and a process that has left the group lives on.
package keeper
