// Package conformance compares our SuperLink, behind the gateway, with Flower's own: the same calls get the same answers, and the same
// real clients say and hear the same. It has tests only. Where the two differ on purpose, a table says why.
package conformance
