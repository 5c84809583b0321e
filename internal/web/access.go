package web

import "net/http"

// access says who may use a route. A federation that somebody has no part in does not exist for them.
type access int

const (
	anyone      access = iota
	signedIn           // anybody with a session
	participant        // signed in; the federation exists for whoever may ask to join it
	aMember            // of the route's federation: viewers, managers, and participants who are in
	aManager           // of the route's federation
	anAdmin            // of the instance
)

type handle func(w http.ResponseWriter, r *http.Request, v *visit) error
