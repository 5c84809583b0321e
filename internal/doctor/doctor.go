// Package doctor checks a server installation and reports problems with remedies. It changes nothing and never prints a secret.
package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"

	"blossomtune/internal/domain"
)

// State is the result of a check.
type State string

// States, from good to bad.
const (
	OK      State = "ok"
	Warning State = "warning" // works, but not completely or not for long
	Failure State = "failure" // does not work
	Skipped State = "skipped" // not checked
)

// Finding is the result of checking one part.
type Finding struct {
	Part   string `json:"part"`
	State  State  `json:"state"`
	Says   string `json:"says"`
	Remedy string `json:"remedy,omitempty"`
}

// Good returns a finding without a problem.
func Good(part, says string, args ...any) Finding {
	return Finding{Part: part, State: OK, Says: fmt.Sprintf(says, args...)}
}

// Warn returns a finding about something that should be changed.
func Warn(part, remedy, says string, args ...any) Finding {
	return Finding{Part: part, State: Warning, Says: fmt.Sprintf(says, args...), Remedy: remedy}
}

// Bad returns a finding about something that does not work.
func Bad(part, remedy, says string, args ...any) Finding {
	return Finding{Part: part, State: Failure, Says: fmt.Sprintf(says, args...), Remedy: remedy}
}

// Skip returns a finding about something that was not checked.
func Skip(part, says string, args ...any) Finding {
	return Finding{Part: part, State: Skipped, Says: fmt.Sprintf(says, args...)}
}

// Failed returns an error as a finding. A [domain.Error] supplies the message and the remedy.
func Failed(part string, err error) Finding { return failed(part, err) }

// failed turns an error into a failure. A [domain.Error] supplies the message and the remedy.
func failed(part string, err error) Finding {
	f := Finding{Part: part, State: Failure, Says: err.Error()}
	if e, ok := errors.AsType[*domain.Error](err); ok {
		f.Says, f.Remedy = e.Message, e.Remedy
	}
	return f
}

// Worst returns the worst state among the findings, or OK if there are none.
func Worst(all []Finding) State {
	worst := OK
	for _, f := range all {
		if f.State == Failure || f.State == Warning && worst == OK {
			worst = f.State
		}
	}
	return worst
}

// Unverified returns a client that accepts any certificate. Use it only if nothing relies on the answer.
func Unverified() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, //nolint:gosec // it asks only whether a server answers
			MinVersion: tls.VersionTLS12}}}
}

// check examines one part of a server. It can return several findings.
type check func(ctx context.Context) []Finding
