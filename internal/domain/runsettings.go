package domain

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// RunSettings is how the engine runs an app, recorded with the run.
type RunSettings struct {
	InstallDependencies bool              `json:"install_dependencies"` // the ServerApp's, from the app's pyproject.toml, with uv
	PackageIndex        string            `json:"package_index,omitempty"`
	Environment         map[string]string `json:"environment,omitempty"` // of the ServerApp; values may be secrets, see [RunSettings.Masked]
	CPUs                int               `json:"cpus,omitempty"`        // cores that the ServerApp may use; 0: all
	MemoryMB            int               `json:"memory_mb,omitempty"`   // what its processes may hold together; 0: no limit
	LogLevel            string            `json:"log_level,omitempty"`   // "", DEBUG, INFO, WARNING, ERROR
	Limits
}

// Limits end a run that takes too long; 0 is no limit.
type Limits struct {
	Wall           time.Duration `json:"wall_limit,omitempty"`            // from its start to its end
	Round          time.Duration `json:"round_limit,omitempty"`           // one round
	NoProgress     time.Duration `json:"no_progress_limit,omitempty"`     // nothing asked, answered, logged or measured
	FirstHeartbeat time.Duration `json:"first_heartbeat_limit,omitempty"` // from its start to the ServerApp's first sign of life
}

// DefaultLimits are those of a federation whose managers have said nothing else.
var DefaultLimits = Limits{NoProgress: 30 * time.Minute, FirstHeartbeat: 10 * time.Minute}

// Bounds of run settings.
const (
	MaxLimit       = 30 * 24 * time.Hour
	MinLimit       = time.Second
	MaxCPUs        = 1024
	MinMemoryMB    = 64
	MaxMemoryMB    = 16 << 20
	maxVariables   = 50
	maxEnvironment = 32 << 10 // names and values together
)

// Mask stands for a value that is kept but not shown.
const Mask = "••••••"

// Masked returns the settings as they may be shown, logged and audited: without the values of environment variables.
func (s RunSettings) Masked() RunSettings {
	if len(s.Environment) > 0 {
		shown := make(map[string]string, len(s.Environment))
		for name := range s.Environment {
			shown[name] = Mask
		}
		s.Environment = shown
	}
	return s
}

// Check returns an [Errors] with an [Invalid] error at the field of each setting that cannot be. machineIndex is the package
// index that this machine is configured with: it may be named whatever its scheme.
func (s RunSettings) Check(machineIndex string) error {
	var errs Errors
	switch s.LogLevel {
	case "", "DEBUG", "INFO", "WARNING", "ERROR":
	default:
		errs = errs.With(Errorf(Invalid, "%q is no log level.", s.LogLevel).Fix("Use DEBUG, INFO, WARNING or ERROR.").At("log_level"))
	}
	errs = errs.With(checkIndex(s.PackageIndex, machineIndex)).With(checkEnvironment(s.Environment)).With(s.Limits.Check())
	if s.CPUs < 0 || s.CPUs > MaxCPUs {
		errs = errs.With(Errorf(Invalid, "A run uses 1 to %d cores, or all.", MaxCPUs).At("cpus"))
	}
	if s.MemoryMB != 0 && (s.MemoryMB < MinMemoryMB || s.MemoryMB > MaxMemoryMB) {
		errs = errs.With(Errorf(Invalid, "A memory limit is from %d to %d MB.", MinMemoryMB, MaxMemoryMB).At("memory_mb"))
	}
	return errs.OrNil()
}

// Check returns an [Errors] with an [Invalid] error at the field of each limit that cannot be.
func (l Limits) Check() error {
	var errs Errors
	for _, v := range l.All() {
		if v.Limit != 0 && (v.Limit < MinLimit || v.Limit > MaxLimit) {
			errs = append(errs, Errorf(Invalid, "A limit is from %d second to %d days, or none.", int(MinLimit.Seconds()), int(MaxLimit.Hours()/24)).
				At(v.Field))
		}
	}
	return errs.OrNil()
}

// NamedLimit is one of the limits with the field that it has in forms.
type NamedLimit struct {
	Field string
	Limit time.Duration
}

// All lists the limits.
func (l Limits) All() []NamedLimit {
	return []NamedLimit{{"wall_limit", l.Wall}, {"round_limit", l.Round}, {"no_progress_limit", l.NoProgress},
		{"first_heartbeat_limit", l.FirstHeartbeat}}
}

func checkIndex(index, machine string) error {
	if index == "" || index == machine {
		return nil
	}
	bad := func(why string) error {
		return Errorf(Invalid, "%s", why).Fix("Name an address that begins with https://, or leave it empty for the one that this machine is " +
			"configured with.").At("package_index")
	}
	u, err := url.Parse(index)
	switch {
	case err != nil || len(index) > 500 || u.Host == "":
		return bad("This is no address of a package index.")
	case u.User != nil:
		return Errorf(Invalid, "The address holds a user name, and it is kept with the run.").
			Fix("Put the credentials into this machine's netrc file.").At("package_index")
	case u.Scheme != "https":
		return bad("A package index is reached by https.")
	}
	return nil
}

var (
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,99}$`)
	// What decides which code runs, where it finds its files or how it reaches the engine is not a run's to change.
	heldVariables = []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TEMP", "TMP", "IFS", "ENV", "BASH_ENV", "NETRC",
		"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
		"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SYSTEMROOT", "USERPROFILE", "LOCALAPPDATA", "APPDATA", "GCONV_PATH",
		"GLIBC_TUNABLES", "VIRTUAL_ENV"}
	heldPrefixes = []string{"LD_", "DYLD_", "PYTHON", "FLWR_", "UV_", "PIP_", "BLOSSOMTUNE_", "XDG_"}
)

// checkEnvironment never names a value: it may be a secret.
func checkEnvironment(vars map[string]string) error {
	bad := func(format string, args ...any) *Error { return Errorf(Invalid, format, args...).At("environment") }
	if len(vars) > maxVariables {
		return bad("A run has at most %d environment variables.", maxVariables)
	}
	size := 0
	for name, value := range vars {
		size += len(name) + len(value)
		if !variableName.MatchString(name) {
			return bad("%q cannot be the name of an environment variable.", Cut(name, 100)).
				Fix("Use letters, digits and underscores; one NAME=value a line.")
		}
		upper := strings.ToUpper(name)
		if slices.Contains(heldVariables, upper) ||
			slices.ContainsFunc(heldPrefixes, func(p string) bool { return strings.HasPrefix(upper, p) }) {
			return bad("%s is not for a run to set.", name).Fix("%s", heldWords(upper))
		}
		if strings.ContainsAny(value, "\x00\n\r") {
			return bad("The value of %s has a line break or a zero byte in it.", name)
		}
	}
	if size > maxEnvironment {
		return bad("The environment variables have more than %d kB together.", maxEnvironment>>10)
	}
	return nil
}

func heldWords(name string) string {
	switch {
	case strings.HasPrefix(name, "UV_"), strings.HasPrefix(name, "PIP_"):
		return "Use the field for the package index."
	case strings.HasSuffix(name, "_LOG_LEVEL"):
		return "Use the field for the log level."
	}
	return "It decides which code runs or how it reaches the engine. Give the app a variable of its own."
}

// Span writes a length of time as limits are told: "10 min", "1 h 30 min", "45 s".
func Span(d time.Duration) string {
	d = d.Round(time.Second)
	h, m, s := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60
	var parts []string
	for _, p := range []struct {
		n    int
		unit string
	}{{h, "h"}, {m, "min"}, {s, "s"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.unit))
		}
	}
	if len(parts) == 0 {
		return "0 s"
	}
	return strings.Join(parts, " ")
}
