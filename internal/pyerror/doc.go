// Package pyerror reads Python's tracebacks out of text, and finds in them what a person needs to know: the line of the app at which
// an exception was raised, the address that was not reached, the part of Flower that is missing. It does no I/O, so both the server,
// which has a ServerApp's log, and a participant's agent, which has a ClientApp's output, use it.
package pyerror
