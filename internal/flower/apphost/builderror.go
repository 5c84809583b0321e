package apphost

import (
	"cmp"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"blossomtune/internal/flower/python"
	"blossomtune/internal/logmask"
)

// BuildError says why the environment of an app could not be built.
type BuildError struct {
	Cause  string   // one sentence
	Remedy string   // what to do about it
	Output []string // the last lines that uv printed, secrets masked
	Err    error
}

func (e *BuildError) Error() string { return "The app's environment could not be built. " + e.Cause }

func (e *BuildError) Unwrap() error { return e.Err }

// causes maps what uv prints to what it means; the first match counts.
var causes = []struct{ words, cause, remedy string }{
	{"No space left on device", "The disk is full.", "Free some disk space."},
	{"os error 28", "The disk is full.", "Free some disk space."},
	{"was not found in the package registry", "A package that the app needs is not in the package index.",
		"Correct the dependencies in the app's pyproject.toml."},
	{"Building source distributions is disabled", "The app's pyproject.toml lists its dependencies as dynamic, which takes running its code.",
		"List them in pyproject.toml."},
	{"No solution found", "The app's dependencies cannot be satisfied together.", "Correct the dependencies in the app's pyproject.toml."},
	{"Failed to parse", "The app's dependencies cannot be read.", "Correct the dependencies in the app's pyproject.toml."},
	{"Hash mismatch", "A package does not have the hash that the app's uv.lock names.", "Update the app's uv.lock."},
	{"Failed to build", "A package has no wheel for this machine, and building it from source failed.",
		"Choose a version with a wheel, or install what its build needs."},
	{"Failed to fetch", "The package index cannot be reached.", "Check the network and the package index settings."},
	{"error sending request", "The package index cannot be reached.", "Check the network and the package index settings."},
	{"Failed to download", "A package cannot be downloaded.", "Check the network and the package index settings."},
	{"timed out", "The package index does not answer in time.", "Check the network and the package index settings."},
	{"Permission denied", "uv may not write here.", "Check the permissions of the environments' folder and of uv's cache."},
}

// wheelless finds the package in what uv says of one without a wheel.
var wheelless = regexp.MustCompile("Wheels are required for `([^`]+)`|Building source distributions for `([^`]+)` is disabled|" +
	"attempted to build `([^`]+)`")

// lacksFlwr reports whether the package index has no flwr.
func (e *BuildError) lacksFlwr() bool {
	return strings.Contains(strings.Join(strings.Fields(strings.Join(e.Output, " ")), " "), "flwr was not found in the package registry")
}

// outputKept is how many of uv's lines an error has.
const outputKept = 12

// buildError explains a step that failed.
func buildError(doing string, err error) *BuildError {
	e := &BuildError{Cause: fmt.Sprintf("It failed while %s: %v.", doing, err), Remedy: "Read the log of uv below.", Err: err}
	var uv *python.UVError
	if !errors.As(err, &uv) {
		e.Remedy = "It is tried again later."
		return e
	}
	e.Output = uv.Output[max(0, len(uv.Output)-outputKept):]
	for i, line := range e.Output {
		e.Output[i] = logmask.Text(line)
	}
	text := strings.Join(uv.Output, "\n")
	if errors.Is(err, exec.ErrNotFound) || len(uv.Output) == 1 && strings.HasPrefix(text, "uv is missing") {
		e.Cause, e.Remedy = "The base environment has no uv.", "Remove the environment; it is installed again at the next start."
		return e
	}
	e.Cause = fmt.Sprintf("uv failed while %s.", doing)
	for _, c := range causes {
		if strings.Contains(text, c.words) {
			e.Cause, e.Remedy = c.cause, c.remedy
			break
		}
	}
	if m := wheelless.FindStringSubmatch(strings.Join(strings.Fields(text), " ")); m != nil {
		e.Cause = fmt.Sprintf("The package %s has no wheel for this machine, and building it from source is turned off.",
			cmp.Or(m[1], m[2], m[3]))
		e.Remedy = "Name a version with a wheel in the app's pyproject.toml, or add a wheel to the app's files."
	}
	if said := reason(uv.Output); said != "" {
		e.Cause += " uv reports: " + logmask.Text(said)
	}
	return e
}

// reason returns uv's own words: what follows the last "cause:", else "error:".
func reason(output []string) string {
	at := -1
	for i, line := range output {
		if strings.HasPrefix(line, "cause:") || strings.HasPrefix(line, "error:") || strings.HasPrefix(line, "× ") ||
			strings.HasPrefix(line, "╰─▶") {
			at = i
		}
	}
	if at < 0 {
		return ""
	}
	var words []string
	for _, line := range output[at:] {
		if strings.HasPrefix(line, "hint:") {
			break
		}
		words = append(words, strings.Fields(strings.TrimLeft(line, "×╰─▶│ "))...)
	}
	text := strings.TrimPrefix(strings.TrimPrefix(strings.Join(words, " "), "cause: "), "error: ")
	if r := []rune(text); len(r) > 400 {
		text = string(r[:400]) + "…"
	}
	return text
}

// failure remembers a build that failed, so that it is not repeated for each message.
type failure struct {
	err   *BuildError
	pause time.Duration
	until time.Time
}

// The first and the longest pause after a build that failed; each is twice the one before.
const (
	firstPause   = 30 * time.Second
	longestPause = 15 * time.Minute
)

// next returns the failure that follows f, which may be nil.
func (f *failure) next(err *BuildError, now time.Time) *failure {
	pause := firstPause
	if f != nil {
		pause = min(2*f.pause, longestPause)
	}
	return &failure{err: err, pause: pause, until: now.Add(pause)}
}
