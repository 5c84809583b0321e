package ui

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

func limitText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return domain.Span(d)
}

// ReadLimits reads the limits of a form, and keeps their texts.
func ReadLimits(f url.Values, texts map[string]string) (l domain.Limits, err error) {
	var errs domain.Errors
	for field, to := range map[string]*time.Duration{"wall_limit": &l.Wall, "round_limit": &l.Round, "no_progress_limit": &l.NoProgress,
		"first_heartbeat_limit": &l.FirstHeartbeat} {
		text := strings.TrimSpace(f.Get(field))
		texts[field] = text
		var ok bool
		if *to, ok = readSpan(text); !ok {
			errs = errs.With(domain.Errorf(domain.Invalid, "%q is no length of time.",
				text).Fix("Write minutes, or 45 s, 10 min, 2 h 30 min; empty is no limit.").At(field))
		}
	}
	return l, errs.OrNil()
}

// readSpan reads a length of time as people write it: a number is minutes. Nothing is none.
func readSpan(text string) (time.Duration, bool) {
	if text == "" {
		return 0, true
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		return time.Duration(n * float64(time.Minute)), n >= 0 && n < 1e6
	}
	text = strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(text), " ", ""), "min", "m")
	d, err := time.ParseDuration(text)
	return d, err == nil
}

// LimitTexts are limits as a form shows them, by the field of each.
func LimitTexts(l domain.Limits) map[string]string {
	out := map[string]string{}
	for _, v := range l.All() {
		out[v.Field] = limitText(v.Limit)
	}
	return out
}
