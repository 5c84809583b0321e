package mail

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// lookupLimit bounds how long a person who asks waits for name servers.
const lookupLimit = 3 * time.Second

// Takes returns a [domain.Invalid] error for a domain that surely takes no mail (RFC 5321, 5.1; a null MX as of RFC 7505 says so).
// What cannot be looked up now may well take mail; and where the name server does not even know our own sender's domain, as in a
// network of its own with a relay, its no says nothing.
func (s *Service) Takes(ctx context.Context, host string) error {
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	_, own, _ := strings.Cut(onWire(s.From), "@")
	if lookup(ctx, own) == takesMail && lookup(ctx, host) == takesNone {
		return domain.Errorf(domain.Invalid, "%s takes no mail.", host).Fix("Check the address for a slip.").At("email")
	}
	return nil
}

type verdict int

const (
	unknown verdict = iota
	takesMail
	takesNone
)

func lookup(ctx context.Context, host string) verdict {
	mx, err := net.DefaultResolver.LookupMX(ctx, host)
	if err == nil {
		if len(mx) == 1 && (mx[0].Host == "." || mx[0].Host == "") {
			return takesNone
		}
		return takesMail
	}
	if !notFound(err) {
		return unknown
	}
	_, err = net.DefaultResolver.LookupHost(ctx, host) // without MX the host itself takes mail
	switch {
	case err == nil:
		return takesMail
	case notFound(err):
		return takesNone
	}
	return unknown
}

func notFound(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}
