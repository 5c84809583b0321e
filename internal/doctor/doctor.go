// Package doctor looks at an installation of the server and says what is well and what is not, with a remedy. It changes nothing, and says
// no secret.
package doctor

import (
	"context"
	"errors"
	"fmt"

	"blossomtune/internal/domain"
)

// State is how a part of an installation is.
type State string

// States, from good to bad.
const (
	OK      State = "ok"
	Warning State = "warning" // it works, but not all of it, or not for long
	Failure State = "failure" // it does not work
)

// Finding is what was found out about one part.
type Finding struct {
	Part   string `json:"part"`
	State  State  `json:"state"`
	Says   string `json:"says"`
	Remedy string `json:"remedy,omitempty"`
}

// Good returns a finding that all is well.
func Good(part, says string, args ...any) Finding {
	return Finding{Part: part, State: OK, Says: fmt.Sprintf(says, args...)}
}

// Warn returns a finding of something that should be changed.
func Warn(part, remedy, says string, args ...any) Finding {
	return Finding{Part: part, State: Warning, Says: fmt.Sprintf(says, args...), Remedy: remedy}
}

// Bad returns a finding of something that does not work.
func Bad(part, remedy, says string, args ...any) Finding {
	return Finding{Part: part, State: Failure, Says: fmt.Sprintf(says, args...), Remedy: remedy}
}

// failed puts an error into a finding: cause and remedy where it is one of ours.
func failed(part string, err error) Finding {
	f := Finding{Part: part, State: Failure, Says: err.Error()}
	if e, ok := errors.AsType[*domain.Error](err); ok {
		f.Says, f.Remedy = e.Message, e.Remedy
	}
	return f
}

// Worst returns the worst state of findings; OK where there are none.
func Worst(all []Finding) State {
	worst := OK
	for _, f := range all {
		if f.State == Failure || f.State == Warning && worst == OK {
			worst = f.State
		}
	}
	return worst
}

// check is one look at a server; it may find several things.
type check func(ctx context.Context) []Finding
