// Package apps holds the bundled Flower Apps, so that the one binary is all that a new machine needs.
package apps

import "embed"

// Bundled is the source of the bundled apps, one folder each.
//
//go:embed quickstart_digits/pyproject.toml quickstart_digits/README.md quickstart_digits/quickstart_digits/*.py
//go:embed quickstart_huggingface/pyproject.toml quickstart_huggingface/README.md quickstart_huggingface/quickstart_huggingface/*.py
var Bundled embed.FS

// Minimal is the source of the app that `blossomtune app new` copies.
//
//go:embed minimal/pyproject.toml minimal/README.md minimal/minimal/*.py
var Minimal embed.FS

// Requirements is the lock, with hashes, of what quickstart_digits needs beyond Flower itself. What quickstart_huggingface needs is
// too large for everybody's environment; it is installed for a run that asks for it.
//
//go:embed quickstart_digits/requirements.txt
var Requirements []byte
