package ui

import (
	"net/url"
	"strings"

	"github.com/a-h/templ"

	"blossomtune/internal/domain"
)

// FedURL is an address below a federation's.
func FedURL(f domain.Federation, rest string) templ.SafeURL {
	return templ.SafeURL("/f/" + f.Slug + rest)
}

// AppURL is the address of an app version.
func AppURL(a domain.AppVersion) string {
	return "/apps/" + PathText(a.Publisher) + "/" + PathText(a.Name) + "/" + Short(a.Hash)
}

// FileURL is the address of a file of an app version.
func FileURL(a domain.AppVersion, path string) templ.SafeURL {
	return templ.SafeURL(AppURL(a) + "?file=" + QueryText(path))
}

// RunAppURL is the address of the app version of a run.
func RunAppURL(r domain.Run) string {
	publisher, name, _ := strings.Cut(r.AppID, "/")
	return AppURL(domain.AppVersion{Publisher: publisher, Name: name, Hash: r.AppHash})
}

// EscapePath makes a file's path a part of an address.
func EscapePath(p string) string {
	parts := strings.Split(p, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}
