package ui

import (
	"net/url"
	"strings"

	"github.com/a-h/templ"

	"blossomtune/internal/domain"
)

func FedURL(f domain.Federation, rest string) templ.SafeURL {
	return templ.SafeURL("/f/" + f.Slug + rest)
}

func AppURL(a domain.AppVersion) string {
	return "/apps/" + PathText(a.Publisher) + "/" + PathText(a.Name) + "/" + Short(a.Hash)
}

func FileURL(a domain.AppVersion, path string) templ.SafeURL {
	return templ.SafeURL(AppURL(a) + "?file=" + QueryText(path))
}

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
