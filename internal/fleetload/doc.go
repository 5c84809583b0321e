// Package fleetload puts the load of many Flower SuperNodes on a Fleet API, ours or that of Flower's SuperLink, and measures how it
// copes. Its SuperNodes make the calls of flwr 1.42's in the same order, with the same pauses, timeouts, retries and connections; they run
// no ClientApp, but wait and reply with objects of a given number and size. [Grid] plays a ServerApp, so that a phase needs no Python.
//
// It talks to loopback addresses only, and is bounded in nodes and time. It is part of the main module, not of tools/, because
// benchmarks of the main module import it; the command is in cmd/.
package fleetload
