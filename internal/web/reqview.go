package web

import (
	"time"

	"blossomtune/internal/domain"
)

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// requestTime is the moment of a request that its list is about.
func requestTime(r domain.Request) time.Time {
	switch {
	case !r.DecidedAt.IsZero():
		return r.DecidedAt
	case !r.VerifiedAt.IsZero():
		return r.VerifiedAt
	}
	return r.CreatedAt
}

func mailTime(m domain.Mail) time.Time {
	if m.SentAt.IsZero() {
		return m.CreatedAt
	}
	return m.SentAt
}
