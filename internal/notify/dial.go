package notify

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"blossomtune/internal/domain"
)

const (
	sendLimit   = 10 * time.Second // of one delivery, from the name's lookup to the end of the answer
	headLimit   = 16 << 10         // bytes of an answer's head
	answerLimit = 64 << 10         // bytes of an answer that are read, to use the connection again
)

// client returns an HTTP client for webhooks. The address is checked when it is dialed, after the name was looked up, so a name that
// changes its address later is caught too. Redirects are not followed, and no proxy is used: a proxy would look names up itself.
func client(private bool) *http.Client {
	dialer := &net.Dialer{Timeout: sendLimit, KeepAlive: -1}
	if !private {
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			return checkDialed(address)
		}
	}
	return &http.Client{
		Timeout:       sendLimit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{Proxy: nil, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address)
		}, TLSHandshakeTimeout: sendLimit, ResponseHeaderTimeout: sendLimit, MaxResponseHeaderBytes: headLimit, MaxConnsPerHost: 2,
			MaxIdleConns: 20, IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: true},
	}
}

// refusedAddress is the error of an address that only webhooks of admins may reach.
type refusedAddress struct{ err *domain.Error }

func (e refusedAddress) Error() string { return e.err.Error() }
func (e refusedAddress) Unwrap() error { return e.err }

func checkDialed(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if !public(at.Addr()) {
		return refusedAddress{domain.Errorf(domain.Forbidden, "The address is not a public one.").
			Fix("An instance admin can allow private addresses for this webhook.")}
	}
	return nil
}

// special are networks that are not reached over the internet, or that lead to other addresses.
var special = func() (out []netip.Prefix) {
	for _, text := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
		"240.0.0.0/4", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
		"5f00::/16", "fec0::/10",
	} {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}()

// public reports whether an address is one of the internet: not of this machine, of a private network or of a link, and no detour to such
// a one.
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
