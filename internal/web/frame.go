package web

import "blossomtune/internal/domain"

// page is what the frame around a page's content needs.
type page struct {
	title  string
	nav    string // the current part of the main navigation
	mid    bool   // narrower, for pages that are read
	events string // the address of the page's stream; empty: the page is not live
}

type crumb struct{ name, href string }

// frame is what surrounds every page.
type frame struct {
	page
	site    look
	version string
	assets  *assets
	person  domain.Person
	watcher bool // a viewer, manager or admin anywhere
	flash   string
	undo    string // the address of a form that takes it back; empty: it cannot
}

func personName(p domain.Person) string {
	if p.Name != "" {
		return p.Name
	}
	return p.Email
}

// look is what the frame of every page takes from the site's settings.
type look struct {
	name    string
	style   string // address of the style sheet of its colours; "" for the usual ones
	logo    string // address of its picture; "" for the mark
	contact string
}
