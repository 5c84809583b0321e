//go:build !linux

package keeper

import (
	"errors"
	"time"
)

// Template is a child that makes processes of itself. Only on Linux: elsewhere the libraries of a system do not bear that.
type Template struct{}

// StartTemplate returns [errors.ErrUnsupported].
func StartTemplate(Command) (*Template, error) { return nil, errors.ErrUnsupported }

// Start returns [errors.ErrUnsupported].
func (*Template) Start(Fork) (*Child, error) { return nil, errors.ErrUnsupported }

// Ended reports true.
func (*Template) Ended() bool { return true }

// Stop does nothing.
func (*Template) Stop(time.Duration) {}
