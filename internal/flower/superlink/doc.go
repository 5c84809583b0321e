// Package superlink is a SuperLink in Go: it serves Flower's Fleet API to SuperNodes and Flower's Runtime API to unmodified ServerApps.
// There is no Control API: runs and SuperNodes come and go by the methods of [Link].
//
// The state is in memory. Every change is committed to a [Store] before it is acknowledged; concurrent changes share one commit. After a
// kill -9 a Link resumes from the last commit. Unconfirmed messages are sent again, and repeated calls have no effect.
//
// The protocol is that of flwr 1.42 (superlink/servicer/fleet, superlink/servicer/runtime), tested with its clients.
package superlink
