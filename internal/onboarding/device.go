package onboarding

import (
	"context"
	"strings"
	"sync"
	"time"

	"blossomtune/internal/domain"
)

// A terminal that joins without a token shows a code; somebody who is signed in enters it in a browser and so gives the terminal
// a join token. What waits is kept in memory: after a restart the terminal asks anew.
const (
	deviceLife = 10 * time.Minute
	maxDevices = 1000
)

// Device is a terminal that waits for its approval.
type Device struct {
	Code    string // as its server part: two groups; the terminal shows a third, see [domain.DeviceCheck]
	Host    string // what the machine calls itself
	Address string // of the terminal
	Asked   time.Time
	Until   time.Time

	secret string
	token  string // once approved
}

type devices struct {
	mu   sync.Mutex
	open map[string]*Device // by normal code
}

func (d *devices) sweep(now time.Time) {
	for code, v := range d.open {
		if now.After(v.Until) {
			delete(d.open, code)
		}
	}
}

// AskDevice lets a terminal wait for its approval. The secret is what it asks with; the code is for people.
func (s *Service) AskDevice(host, address string) (v Device, secret string, err error) {
	if !s.asks.Allow(address, s.now()) {
		return v, "", domain.Errorf(domain.Limited, "Too many requests from your address.").Fix("Wait ten minutes, then try again.")
	}
	host = domain.Line(host)
	v = Device{Code: readable(2, 4), Host: domain.Cut(host, maxShort), Address: address, Asked: s.now(), Until: s.now().
		Add(deviceLife), secret: randomHex(24)}
	s.devices.mu.Lock()
	defer s.devices.mu.Unlock()
	s.devices.sweep(s.now())
	if len(s.devices.open) >= maxDevices {
		return v, "", domain.Errorf(domain.Limited, "Too many terminals wait for their approval.").Fix("Wait ten minutes, then try again.")
	}
	kept := v
	s.devices.open[domain.NormalCode(v.Code)] = &kept
	return v, v.secret, nil
}

// PollDevice returns the join token of a terminal once it is approved, that one time; "" while it waits.
func (s *Service) PollDevice(secret string) (token string, err error) {
	s.devices.mu.Lock()
	defer s.devices.mu.Unlock()
	s.devices.sweep(s.now())
	for code, v := range s.devices.open {
		if v.secret == secret && secret != "" {
			if v.token != "" {
				delete(s.devices.open, code)
			}
			return v.token, nil
		}
	}
	return "", domain.Errorf(domain.Expired, "This code has run out.").Fix("Run the command again for a new one.")
}

// FindDevice returns the terminal that shows a code. A code of a terminal that sees another server's CA is [domain.Forbidden]:
// somebody stands between.
func (s *Service) FindDevice(personID int64, shown string) (Device, error) {
	if !s.deviceTries.Allow(itoa64(personID), s.now()) {
		return Device{}, domain.Errorf(domain.Limited, "Too many codes were tried.").Fix("Wait ten minutes, then try again.").At("code")
	}
	s.devices.mu.Lock()
	defer s.devices.mu.Unlock()
	s.devices.sweep(s.now())
	code := domain.NormalCode(shown)
	unknown := domain.Errorf(domain.Invalid, "No terminal shows this code.").
		Fix("Copy all three groups that your terminal shows. A code works for ten minutes.").At("code")
	if len(code) != 12 {
		return Device{}, unknown
	}
	v := s.devices.open[code[:8]]
	switch {
	case v == nil || v.token != "":
		return Device{}, unknown
	case !strings.EqualFold(code[8:], domain.DeviceCheck(code[:8], s.Pin())):
		return Device{}, domain.Errorf(domain.Conflict, "Your terminal does not see this server, but another one in its place.").
			Fix("Nothing was given to it. Check the address in your terminal; if it is right, tell the network's administrator.").At("code")
	}
	return *v, nil
}

// ApproveDevice gives the terminal that shows a code a join token for one's own approved request.
func (s *Service) ApproveDevice(ctx context.Context, actor domain.Actor, shown string, requestID int64) (domain.Request, error) {
	v, err := s.FindDevice(actor.PersonID, shown)
	if err != nil {
		return domain.Request{}, err
	}
	r, err := s.Request(ctx, requestID)
	if err != nil || r.PersonID != actor.PersonID {
		return r, domain.Errorf(domain.NotFound, "You have no such request.").Because(err)
	}
	token, _, err := s.NewJoinToken(ctx, actor, requestID)
	if err != nil {
		return r, err
	}
	s.devices.mu.Lock()
	defer s.devices.mu.Unlock()
	if kept := s.devices.open[domain.NormalCode(v.Code)]; kept != nil { // else it ran out just now
		kept.token = token
	}
	return r, nil
}
