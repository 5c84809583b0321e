// Package client is the one Go client of /api/v1: its request and answer types, which the server's API uses too, and an HTTP client. It is
// for the agent, the command line, the demo and tests, so it knows no part of the server.
package client

// DecimalID is an id of Flower's. It may be larger than the numbers that JSON readers hold exactly, so it travels as a text of digits:
// a field of this type has the option string in its json tag.
type DecimalID uint64
