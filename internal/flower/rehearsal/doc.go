// Package rehearsal is a SuperLink for one run on one machine. It serves the Runtime API to an unmodified ServerApp and the Fleet API,
// without a socket, to this machine's SuperNode. Nothing that passes through it can leave the machine: it makes no connections.
package rehearsal
