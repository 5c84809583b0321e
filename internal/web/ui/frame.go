package ui

import (
	"blossomtune/internal/domain"
	"blossomtune/internal/web/assets"
)

// Page is what the frame around a page's content needs.
type Page struct {
	Title  string
	Nav    string // the current part of the main navigation
	Mid    bool   // narrower, for pages that are read
	Events string // the address of the page's stream; empty: the page is not live
}

// Crumb is a page on the way to another; Href is empty for the page itself.
type Crumb struct{ Name, Href string }

// Frame is what surrounds every page.
type Frame struct {
	Page
	Site    Site
	Version string
	Assets  *assets.Set
	Person  domain.Person
	Watcher bool // a viewer, manager or admin anywhere
	Flash   string
	Undo    string // the address of a form that takes it back; empty: it cannot
}

// PersonName is what a person is called: their name, or their address where they have given none.
func PersonName(p domain.Person) string {
	if p.Name != "" {
		return p.Name
	}
	return p.Email
}

// Site is what the frame of every page takes from the site's settings.
type Site struct {
	Name    string
	Style   string // address of the style sheet of its colours; "" for the usual ones
	Logo    string // address of its picture; "" for the mark
	Contact string
}
