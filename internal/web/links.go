package web

import (
	"net/url"
	"strings"

	"github.com/a-h/templ"

	"blossomtune/internal/domain"
)

func fedURL(f domain.Federation, rest string) templ.SafeURL {
	return templ.SafeURL("/f/" + f.Slug + rest)
}

func appURL(a domain.AppVersion) string {
	return "/apps/" + pathText(a.Publisher) + "/" + pathText(a.Name) + "/" + short(a.Hash)
}

func fileURL(a domain.AppVersion, path string) templ.SafeURL {
	return templ.SafeURL(appURL(a) + "?file=" + queryText(path))
}

func runAppURL(r domain.Run) string {
	publisher, name, _ := strings.Cut(r.AppID, "/")
	return appURL(domain.AppVersion{Publisher: publisher, Name: name, Hash: r.AppHash})
}

// escapePath makes a file's path a part of an address.
func escapePath(p string) string {
	parts := strings.Split(p, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}
