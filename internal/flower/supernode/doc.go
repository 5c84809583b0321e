// Package supernode is a SuperNode in Go. It takes messages from a SuperLink over Flower's Fleet API, serves Flower's Runtime API on
// loopback to unmodified ClientApps, and answers every message exactly once: with the app's reply, or with an error reply that says
// how the app ended. Behaviour and paths follow flwr 1.42 (flwr/supernode).
//
// It knows nothing of keys, processes or Python: the caller signs requests ([Options.Transport]) and runs ClientApps ([Apps]).
package supernode
