package catalog

import (
	"archive/zip"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// checkLeftOut refuses a FAB without a file of the app's folder that the app needs: Flower leaves out what .gitignore names, and says
// nothing about it. Needed is what is a component, or is imported at the top of a file that is in the FAB.
func checkLeftOut(root fs.FS, fab []byte) error {
	z, err := openZip(fab)
	if err != nil {
		return err
	}
	packages, needed := appPackages(z)
	out := map[string]string{} // the files left out, by module
	for _, p := range packages {
		// What cannot be read ends the walk: then the files before it are all that can be said.
		_ = fs.WalkDir(root, p, func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() || !strings.HasSuffix(name, ".py") || has(z, name) {
				return nil // see above
			}
			out[moduleOf(name)] = name
			return nil
		})
	}
	if len(out) == 0 {
		return nil
	}
	for _, f := range z.File {
		if !strings.HasSuffix(f.Name, ".py") {
			continue
		}
		text, _, err := readMember(f, maxPyproject)
		if err != nil {
			return err
		}
		needed = append(needed, importsOf(f.Name, string(text))...)
	}
	for _, module := range needed {
		if name, missing := out[module]; missing {
			return invalid("%s is in the folder, but Flower leaves it out of the app.", name).
				Fix("Change .gitignore in the app's folder so that it does not match %s.", name)
		}
	}
	return nil
}

// appPackages returns the top packages or modules of the components, and the components' modules.
func appPackages(z *zip.Reader) (packages, modules []string) {
	f := member(z, "pyproject.toml")
	if f == nil {
		return nil, nil
	}
	text, _, err := readMember(f, maxPyproject)
	var p pyproject
	if err != nil {
		return nil, nil
	}
	if err := decodeTOML(text, &p); err != nil {
		return nil, nil // readPyproject says so
	}
	for _, c := range p.Tool.Flwr.App.Components {
		s, _ := c.(string)
		module, _, _ := strings.Cut(s, ":")
		top, _, _ := strings.Cut(module, ".")
		if top == "" || !fs.ValidPath(top) {
			continue
		}
		modules = append(modules, module)
		for _, name := range []string{top, top + ".py"} {
			if !slices.Contains(packages, name) {
				packages = append(packages, name)
			}
		}
	}
	return packages, modules
}

// moduleOf returns the name under which Python imports a file.
func moduleOf(name string) string {
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".py"), "/__init__")
	return strings.ReplaceAll(name, "/", ".")
}

var (
	fromImport  = regexp.MustCompile(`(?m)^from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)`)
	plainImport = regexp.MustCompile(`(?m)^import[ \t]+([^\n#]*)`)
	dottedName  = regexp.MustCompile(`[\w.]+`)
)

// importsOf returns what may be modules in the import statements of a file that are not indented: others may be optional.
func importsOf(file, text string) (out []string) {
	for _, m := range plainImport.FindAllStringSubmatch(text, -1) {
		out = append(out, dottedName.FindAllString(m[1], -1)...)
	}
	for _, m := range fromImport.FindAllStringSubmatch(text, -1) {
		module := m[2]
		if dots := len(m[1]); dots > 0 {
			base := path.Dir(file)
			for range dots - 1 {
				base = path.Dir(base)
			}
			if base == "." {
				base = ""
			}
			module = strings.Trim(strings.ReplaceAll(base, "/", ".")+"."+module, ".")
		}
		out = append(out, module)
		for _, name := range dottedName.FindAllString(m[3], -1) {
			out = append(out, module+"."+name)
		}
	}
	return out
}
