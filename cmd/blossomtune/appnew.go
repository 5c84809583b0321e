//go:build !participant

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"blossomtune/apps"
	"blossomtune/internal/domain"
)

type appNewCmd struct {
	Dir       string `arg:"" help:"Folder to make; its name is the app's." type:"path"`
	Publisher string `help:"Who publishes the app." default:"example"`
	Output    string `help:"table for people, json for scripts." enum:"table,json" default:"table" short:"o"`
}

var appName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// Run makes a small Flower App that works.
func (c *appNewCmd) Run(t *terminal) error {
	name := strings.ReplaceAll(strings.ToLower(filepath.Base(c.Dir)), "_", "-")
	if !appName.MatchString(name) || !appName.MatchString(c.Publisher) {
		return domain.Errorf(domain.Invalid, "The app cannot be named %q by %q.", name,
			c.Publisher).Fix("Use small letters, digits and dashes, beginning with a letter.")
	}
	if _, err := os.Lstat(c.Dir); err == nil {
		return domain.Errorf(domain.Conflict, "%s is there already.", c.Dir).Fix("Name a folder that is not.")
	}
	module := strings.ReplaceAll(name, "-", "_")
	words := strings.NewReplacer(`name = "minimal"`, `name = "`+name+`"`, `publisher = "example"`, `publisher = "`+c.Publisher+`"`,
		"# minimal", "# "+name, "minimal", module)
	err := fs.WalkDir(apps.Minimal, "minimal", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(strings.TrimPrefix(path, "minimal"), "/")
		if rest, inside := strings.CutPrefix(rel, "minimal"); inside {
			rel = module + rest
		}
		to := filepath.Join(c.Dir, filepath.FromSlash(rel))
		if d.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		text, err := fs.ReadFile(apps.Minimal, path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, []byte(words.Replace(string(text))), 0o644)
	})
	if err != nil {
		return err
	}
	r := &remote{terminal: *t, asJSON: c.Output == "json"}
	return r.done(map[string]string{"dir": c.Dir, "app": c.Publisher + "/" + name}, "The app %s is in %s. Add it: blossomtune app add %s",
		c.Publisher+"/"+name, c.Dir, c.Dir)
}
