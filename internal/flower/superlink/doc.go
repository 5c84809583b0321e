// Package superlink is a SuperLink in Go: it serves Flower's Fleet API to SuperNodes and Flower's Runtime API to unmodified ServerApps.
// There is no Control API: runs and SuperNodes come and go by the methods of [Link].
//
// The state is in memory, and every change is committed to a [Store] before it is acknowledged; many changes share one commit. After a
// kill -9 a Link continues where its store stands. What a caller was not told is done again: a message that was given and not confirmed
// is given again, and a call that is repeated changes nothing.
//
// The protocol is that of flwr 1.42 (superlink/servicer/fleet, superlink/servicer/runtime), tested with its clients.
package superlink
