package ui

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

type contextKey int

const drawKey contextKey = 0

// drawing is what every component may need: the icons' address and the time.
type drawing struct {
	icons string
	now   time.Time
}

// WithDrawing is a context in which components can be rendered: icons is the address of the sprite, now the time that they show.
func WithDrawing(ctx context.Context, icons string, now time.Time) context.Context {
	return context.WithValue(ctx, drawKey, drawing{icons: icons, now: now})
}

func drawOf(ctx context.Context) drawing {
	d, _ := ctx.Value(drawKey).(drawing)
	return d
}

// NowOf is the time that a component shows.
func NowOf(ctx context.Context) time.Time { return drawOf(ctx).now }

// icon returns the address of one symbol of the sprite.
func icon(ctx context.Context, name string) string { return drawOf(ctx).icons + "#" + name }

// Num writes a metric: 4 significant digits, never a percentage, NaN spelled out.
func Num(v float64) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "infinite"
	case math.IsInf(v, -1):
		return "−infinite"
	case v == 0:
		return "0"
	}
	a := math.Abs(v)
	if a >= 1e6 || a < 1e-4 {
		return strings.ReplaceAll(strconv.FormatFloat(v, 'e', 3, 64), "-", "−")
	}
	if v == math.Trunc(v) {
		return minus(strconv.FormatFloat(v, 'f', 0, 64))
	}
	return minus(strconv.FormatFloat(v, 'f', max(3-int(math.Floor(math.Log10(a))), 0), 64))
}

func minus(s string) string { return strings.Replace(s, "-", "−", 1) }

// Size writes a number of bytes in decimal units.
func Size(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f := float64(n)
	unit := ""
	for _, unit = range []string{"kB", "MB", "GB", "TB"} {
		if f /= 1000; f < 999.5 {
			break
		}
	}
	if f < 9.95 {
		return fmt.Sprintf("%.1f %s", f, unit)
	}
	return fmt.Sprintf("%.0f %s", f, unit)
}

// Span writes a length of time: 26 s, 5 min 34 s, 1 h 04 min, 6 d.
func Span(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	switch {
	case s < 0:
		return "0 s"
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %02d s", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%d h %02d min", s/3600, s%3600/60)
	}
	return fmt.Sprintf("%d d", s/86400)
}

// About writes a length of time in one unit.
func About(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "less than a minute"
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d d", int(d.Hours()/24))
}

// ago writes a time as people say it: "3 min ago" within a day, then the date. The script does the same later on.
func ago(now, t time.Time) string {
	d := now.Sub(t)
	switch {
	case d < 0 || d >= 24*time.Hour:
		return t.UTC().Format("2 Jan, 15:04") + " UTC"
	case d < time.Minute:
		return "just now"
	}
	return About(d) + " ago"
}

// Exact writes a time to the second, in UTC.
func Exact(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04:05") + " UTC" }

// Plural writes a number with its noun.
func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Initials of a name, for the round mark of a person.
func Initials(name string) string {
	out := ""
	for _, w := range strings.Fields(name) {
		if out += strings.ToUpper(string([]rune(w)[:1])); len([]rune(out)) == 2 {
			break
		}
	}
	if out == "" {
		return "?"
	}
	return out
}

// Itoa writes a number.
func Itoa(n int) string { return strconv.Itoa(n) }

// Short is the form of a hash that pages show.
func Short(hash string) string { return hash[:min(8, len(hash))] }

// Colons writes a fingerprint in pairs, as people compare it.
func Colons(hexText string) string {
	var parts []string
	for i := 0; i+1 < len(hexText); i += 2 {
		parts = append(parts, strings.ToUpper(hexText[i:i+2]))
	}
	return strings.Join(parts, ":")
}

// Itoa64 writes a number.
func Itoa64(n int64) string { return strconv.FormatInt(n, 10) }

// QueryText makes a text part of an address's query.
func QueryText(s string) string { return url.QueryEscape(s) }

// QueryValues reads what an address holds after its question mark.
func QueryValues(text string) url.Values {
	v, _ := url.ParseQuery(text) // of our own making
	return v
}

// PathText makes a text one part of an address's path.
func PathText(s string) string { return url.PathEscape(s) }

// OrDash is a text, "–" for none.
func OrDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// CSVTime writes a time in a CSV file; "" for none.
func CSVTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// HolderName is how a participant is shown to managers and viewers.
func HolderName(r domain.Request) string {
	if r.Organisation != "" {
		return r.Organisation
	}
	return r.Name
}

// SomeText writes a number, "" for 0.
func SomeText(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
