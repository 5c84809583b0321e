// Package engine runs a federation's SuperLink. [Serve] is the body of a keeper process, which owns one SuperLink, the
// launcher and an observer per run; [Manager] is in the server, starts keepers, takes back those that an earlier server
// left running, and speaks to them over a unix socket.
package engine
