package visit

import "net/http"

// Access says who may use a route. A federation that somebody has no part in does not exist for them.
type Access int

// Who a route is for.
const (
	Anyone      Access = iota
	SignedIn           // anybody with a session
	Participant        // signed in; the federation exists for whoever may ask to join it
	Member             // of the route's federation: viewers, managers, and participants who are in
	Manager            // of the route's federation
	Admin              // of the instance
)

// Handler answers one request of a visitor who may make it. An error that it returns is answered by [Host.Serve].
type Handler func(w http.ResponseWriter, r *http.Request, v *Visit) error
