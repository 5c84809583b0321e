package approval

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"blossomtune/internal/openfile"
)

// RulesFile is the name of the owner's rules, in the federation's folder or in the one above it.
const RulesFile = "rules.toml"

// Rules are what the owner allows. A rule that is not given allows everything.
type Rules struct {
	Approve      Policy   `toml:"approve"`             // at least as strict as this, whatever join says
	Apps         []string `toml:"apps"`                // SHA-256 of app versions, for the policy listed
	Publishers   []string `toml:"publishers"`          // as apps name them
	Federations  []string `toml:"federations"`         // their names in addresses
	LaunchedBy   []string `toml:"launched-by"`         // as the server names people
	Hours        string   `toml:"hours"`               // such as 20:00-06:00, by this machine's clock
	MaxBytes     string   `toml:"max-bytes-per-round"` // such as 50 MB
	Dependencies *bool    `toml:"dependencies"`        // false: apps that need further packages do not run
	Logs         *bool    `toml:"logs"`                // false: no log leaves, whatever join says

	given    bool // there is such a file
	from, to int  // minutes of the day
	bytes    int64
}

const maxRules = 1 << 20

// LoadRules reads a rules file; one that does not exist allows everything. A file that others can write, or that cannot be read, is a
// [*Refusal]: then nothing runs.
func LoadRules(file string) (Rules, error) {
	var r Rules
	f, err := openfile.Regular(file)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, refuse(RuleRules, "%s cannot be read: %v", file, err)
	}
	defer f.Close()
	if err := private(f); err != nil {
		return r, err
	}
	r.given = true
	d := toml.NewDecoder(io.LimitReader(f, maxRules)).DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, refuse(RuleRules, "%s cannot be read: %v", file, tomlWords(err))
	}
	if err := r.check(); err != nil {
		return r, refuse(RuleRules, "%s: %v", file, err)
	}
	return r, nil
}

func tomlWords(err error) string {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		return fmt.Sprintf("there is no rule %q", strings.Join(strict.Errors[0].Key(), "."))
	}
	return err.Error()
}

var (
	hoursForm = regexp.MustCompile(`^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$`)
	bytesForm = regexp.MustCompile(`^(\d{1,12})\s*(B|kB|MB|GB)?$`)
)

func (r *Rules) check() error {
	if r.Approve != "" {
		if _, err := ParsePolicy(string(r.Approve)); err != nil {
			return errors.New("approve is any, listed or ask")
		}
	}
	for _, a := range r.Apps {
		if !isHash(a) {
			return fmt.Errorf("%q is not the SHA-256 of an app version (64 hexadecimal digits)", a)
		}
	}
	if r.Hours != "" {
		m := hoursForm.FindStringSubmatch(strings.ReplaceAll(r.Hours, " ", ""))
		if m == nil {
			return fmt.Errorf("hours are written like 20:00-06:00, not %q", r.Hours)
		}
		var n [4]int
		for i := range n {
			n[i], _ = strconv.Atoi(m[i+1]) // the pattern takes digits only
		}
		r.from, r.to = 60*n[0]+n[1], 60*n[2]+n[3]
	}
	if r.MaxBytes != "" {
		m := bytesForm.FindStringSubmatch(strings.TrimSpace(r.MaxBytes))
		if m == nil {
			return fmt.Errorf("max-bytes-per-round is written like \"50 MB\", not %q", r.MaxBytes)
		}
		n, _ := strconv.ParseInt(m[1], 10, 64) // at most twelve digits
		r.bytes = n * map[string]int64{"": 1, "B": 1, "kB": 1000, "MB": 1_000_000, "GB": 1_000_000_000}[m[2]]
	}
	return nil
}

// open reports whether apps may run at a time, by the machine's own clock.
func (r *Rules) open(at time.Time) bool {
	now := 60*at.Hour() + at.Minute()
	if r.from <= r.to {
		return r.from <= now && now < r.to
	}
	return now >= r.from || now < r.to
}

// Run is what is known of a run. It is the server's word.
type Run struct {
	Federation string
	LaunchedBy string // SHA-256 of the person's name or address, in lower case
}

// Allow checks an app version against the rules. last is when this machine last recorded something: a clock that is earlier was turned
// back.
func (r *Rules) Allow(v Version, run Run, now, last time.Time) error {
	switch {
	case len(r.Federations) > 0 && !slices.Contains(r.Federations, run.Federation):
		return refuse(RuleFederation, "the rules do not list the federation %q", run.Federation)
	case len(r.Publishers) > 0 && !slices.Contains(r.Publishers, v.Publisher):
		return refuse(RulePublisher, "the rules do not list the publisher %q", v.Publisher)
	case len(r.LaunchedBy) > 0 && !slices.ContainsFunc(r.LaunchedBy, func(name string) bool { return launcherHash(name) == run.LaunchedBy }):
		return refuse(RuleLaunchedBy, "the rules do not list who launched the run")
	case r.Dependencies != nil && !*r.Dependencies && len(v.Dependencies) > 0:
		return refuse(RuleDependencies, "the app needs %s", strings.Join(v.Dependencies, ", "))
	case r.Hours == "":
		return nil
	case now.Before(last.Add(-clockSlack)):
		return refuse(RuleClock, "this machine's clock says %s, but something was recorded at %s", now.Format(time.DateTime),
			last.In(now.Location()).Format(time.DateTime))
	case !r.open(now):
		return refuse(RuleHours, "apps run from %s only; it is %s", r.Hours, now.Format("15:04"))
	}
	return nil
}

// clockSlack is what a clock may be set back when it is corrected.
const clockSlack = 2 * time.Minute

// NoLogs reports whether logs must not leave.
func (r *Rules) NoLogs() bool { return r.Logs != nil && !*r.Logs }

// MostBytes is what may leave in a round, where that is limited.
func (r *Rules) MostBytes() (n int64, limited bool) { return r.bytes, r.MaxBytes != "" }

func isHash(s string) bool { return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" }

func launcherHash(name string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(strings.TrimSpace(name))))
	return hex.EncodeToString(sum[:])
}
