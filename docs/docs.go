// Package docs holds the manual's pages, which the server serves at /docs.
package docs

import "embed"

// Files are the pages, one Markdown file each.
//
//go:embed *.md
var Files embed.FS
