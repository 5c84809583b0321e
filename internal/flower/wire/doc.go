// Package wire speaks Flower's protocol: protobufs over HTTP, as measured in flwr 1.42. It is the only place that knows the
// paths and field numbers of the Control and Runtime APIs, how a SuperNode signs, and how a launcher signs.
//
// The messages are in flwr.proto; the contract test compares them with the installed flwr.
package wire

//go:generate go -C ../../../tools run ./genproto ../internal/flower/wire/flwr.proto ../internal/flower/wire/flwrpb
