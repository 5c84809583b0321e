//go:build !unix

package fleetload

import "net"

// readable reports whether an idle connection has something to read; here that is not known before it is used.
func readable(net.Conn) bool { return false }
