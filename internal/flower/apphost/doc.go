// Package apphost hosts the processes of Flower Apps: their Python environments and warm templates.
//
// Flower itself installs an app's dependencies for every message and run, into a folder that it removes afterwards. Here each set
// of dependencies has one environment: a venv with the packages that the base environment lacks, which also sees the base. It is
// built once with uv, kept while it is used, and shared by all tasks. App processes are forked from a warm Python of their environment
// that has already imported Flower and the third-party modules that the app imports.
//
// What is installed is what Flower's own `uv sync` would install: [project.dependencies] and the default dependency groups of the
// FAB's pyproject.toml, its [tool.uv] settings and its uv.lock. Two things differ: the base's flwr always stays in use together with
// versions
// of its dependencies that it accepts, and versions that the base already has are preferred.
package apphost
