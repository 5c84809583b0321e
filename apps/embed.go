// Package apps holds the bundled Flower Apps, so that the one binary is all that a new machine needs.
package apps

import "embed"

// Bundled is the source of the bundled apps, one folder each.
//
//go:embed quickstart_digits/pyproject.toml quickstart_digits/README.md quickstart_digits/quickstart_digits/*.py
var Bundled embed.FS

// Requirements is the lock, with hashes, of what the bundled apps need beyond Flower itself.
//
//go:embed quickstart_digits/requirements.txt
var Requirements []byte
