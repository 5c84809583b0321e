package server

import (
	"context"
	"crypto/tls"
	"time"

	"blossomtune/internal/notify"
	"blossomtune/internal/sysinfo"
)

// watchConditions notifies of conditions that last for too long.
func (s *Server) watchConditions(ctx context.Context) {
	s.Notify.Watch(ctx, notify.Machine{Started: s.o.Clock(), SuperLink: s.Manager.Status, Certificate: s.certificateEnd,
		Disk: func() (free, total int64) { return sysinfo.Disk(s.o.Config.Data) }})
}

// certificateEnd is when the server's certificate expires; zero where a reverse proxy has it, or where it cannot be read.
func (s *Server) certificateEnd() time.Time {
	if s.o.Config.BehindProxy {
		return time.Time{}
	}
	pair, err := s.tls.TLSConfig().GetCertificate(&tls.ClientHelloInfo{})
	if err != nil || pair.Leaf == nil {
		return time.Time{}
	}
	return pair.Leaf.NotAfter
}
