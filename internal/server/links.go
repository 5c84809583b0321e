package server

import (
	"errors"
	"fmt"

	"blossomtune/internal/domain"
)

// links are the calls to parts that are made after their callers.
type links struct {
	engineChanged link[int64]          // a federation's engine has changed, says the manager
	pushed        link[int64]          // messages for a federation's SuperNodes reached its SuperLink
	stored        link[int64]          // metrics of a federation's runs reached the database
	nodeUnknown   link[domain.NodeKey] // the SuperLink does not know an approved key, says the gateway
}

// check returns an error that names the links that are not connected.
func (l *links) check() error {
	var errs []error
	for name, connected := range map[string]bool{"engineChanged": l.engineChanged.to != nil, "pushed": l.pushed.to != nil,
		"stored": l.stored.to != nil, "nodeUnknown": l.nodeUnknown.to != nil} {
		if !connected {
			errs = append(errs, fmt.Errorf("server: the link %s is not connected", name))
		}
	}
	return errors.Join(errs...)
}

// link is one call to a part that does not exist yet.
type link[T any] struct{ to func(T) }

// connect says where calls go. A second time is a mistake in the wiring, and panics.
func (l *link[T]) connect(to func(T)) {
	if l.to != nil {
		panic("server: a link is connected twice")
	}
	l.to = to
}

func (l *link[T]) call(v T) { l.to(v) }
