package launch

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// engineForm is the part of a launch form that says how and when the run runs, as text.
type engineForm struct {
	from      string // the Run ID of what it is cloned from; its secrets come from there
	deps      bool
	index     string
	env       string // NAME=value a line; what is not to be shown is [domain.Mask]
	cpus      string
	memory    string
	level     string
	limits    map[string]string // by the field of the limit
	notBefore string            // as a datetime-local field has it, in UTC
	tags      string            // with commas
	override  string
}

// engineFields are the fields of the form that an error can be at.
var engineFields = []string{"package_index", "environment", "cpus", "memory_mb", "log_level", "wall_limit", "round_limit",
	"no_progress_limit", "first_heartbeat_limit", "not_before", "tags", "override"}

const localTime = "2006-01-02T15:04"

func newEngineForm(l domain.Limits) engineForm {
	return engineForm{limits: ui.LimitTexts(l)}
}

// engineFormOf shows the settings of a run that is cloned, its secrets masked.
func engineFormOf(run domain.Run) engineForm {
	s := run.Settings.Masked()
	e := newEngineForm(s.Limits)
	e.from, e.deps, e.index, e.level, e.tags = run.Name, s.InstallDependencies, s.PackageIndex, s.LogLevel, strings.Join(run.Tags, ", ")
	e.cpus, e.memory = ui.SomeText(s.CPUs), ui.SomeText(s.MemoryMB)
	for _, name := range slices.Sorted(maps.Keys(s.Environment)) {
		e.env += name + "=" + s.Environment[name] + "\n"
	}
	return e
}

// open reports whether the folded part has something to show.
func (e engineForm) open(errs ui.FormErrors) bool {
	for _, f := range engineFields {
		if _, bad := errs[f]; bad && f != "override" && f != "tags" {
			return true
		}
	}
	return e.deps || e.index != "" || e.env != "" || e.cpus != "" || e.memory != "" || e.level != "" || e.notBefore != ""
}

// readEngine takes the form's settings into a launch. kept are the environment variables of the run that it is cloned from: a
// masked value stands for one of theirs.
func readEngine(f url.Values, in *runs.LaunchInput, kept map[string]string) (engineForm, error) {
	text := func(name string) string { return strings.TrimSpace(f.Get(name)) }
	e := engineForm{from: text("from"), deps: f.Get("deps") == "on", index: text("package_index"), env: f.Get("environment"),
		cpus: text("cpus"), memory: text("memory_mb"), level: text("log_level"),
		notBefore: text("not_before"), tags: f.Get("tags"), override: f.Get("override"), limits: map[string]string{}}
	var errs domain.Errors
	number := func(field, text string) int {
		n, err := strconv.Atoi(text)
		if err != nil && text != "" {
			errs = errs.With(visit.NotANumber("This", text, field))
		}
		return n
	}
	in.Settings = domain.RunSettings{InstallDependencies: e.deps, PackageIndex: e.index, CPUs: number("cpus", e.cpus),
		MemoryMB: number("memory_mb", e.memory), LogLevel: e.level}
	limits, err := ui.ReadLimits(f, e.limits)
	in.Limits, errs = &limits, errs.With(err)
	in.Settings.Environment, err = readEnvironment(e.env, kept)
	errs = errs.With(err)
	in.Tags = splitTags(e.tags)
	if e.notBefore != "" {
		if in.NotBefore, err = time.Parse(localTime, e.notBefore); err != nil {
			errs = errs.With(domain.Errorf(domain.Invalid, "%q is no date with a time.", e.notBefore).Fix("Write it as 2026-11-23T10:14.").
				At("not_before"))
		}
	}
	if f.Get("anyway") != "" {
		in.Override = strings.TrimSpace(e.override)
	}
	return e, errs.OrNil()
}

func splitTags(text string) (out []string) {
	for _, t := range strings.Split(text, ",") {
		if t = strings.TrimSpace(t); t != "" && !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

// readEnvironment reads one NAME=value a line.
func readEnvironment(text string, kept map[string]string) (map[string]string, error) {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if name = strings.TrimSpace(name); !ok {
			return nil, domain.Errorf(domain.Invalid, "A line has no = in it.").Fix("Write one NAME=value a line.").At("environment")
		}
		if value == domain.Mask {
			old, known := kept[name]
			if !known {
				return nil, domain.Errorf(domain.Invalid, "The value of %s is not known any more.", name).Fix("Enter it again.").At("environment")
			}
			value = old
		}
		out[name] = value
	}
	return out, nil
}

// cloned returns the run of this federation that a form is filled from; ID 0 where none is named or it is gone.
func (s *Pages) cloned(ctx context.Context, v *visit.Visit, name string) (domain.Run, error) {
	if name == "" {
		return domain.Run{}, nil
	}
	run, err := s.Runs.ByName(ctx, name)
	if domain.CodeOf(err) == domain.NotFound || err == nil && run.FederationID != v.Fed.ID {
		return domain.Run{}, nil
	}
	return run, err
}

// clone fills the form from a run.
func (s *Pages) clone(ctx context.Context, l *launchForm, run domain.Run) (err error) {
	l.from = run
	l.engine, l.note = engineFormOf(run), run.Note
	for key, text := range runs.InputOf(run).Config {
		if _, known := l.config[key]; known {
			l.config[key] = text
		}
	}
	l.name, err = s.Runs.NextName(ctx, run)
	return err
}
