package appcheck

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"blossomtune/internal/doctor"
	"blossomtune/internal/domain"
)

// resolved tells of packages, each as name==version, that the pinned environment lacks.
func resolved(all []string) packages {
	p := packages{known: true}
	for _, one := range all {
		name, _, _ := strings.Cut(one, "==")
		p.names = append(p.names, normal(name))
	}
	const most = 8
	switch {
	case len(all) == 0:
		p.findings = []doctor.Finding{doctor.Good(partDependencies, "Everything that the app needs is installed with Flower.")}
	case len(all) <= most:
		p.findings = []doctor.Finding{doctor.Good(partDependencies, "To be installed for the app: %s.", strings.Join(all, ", "))}
	default:
		p.findings = []doctor.Finding{doctor.Good(partDependencies, "To be installed for the app: %s and %d more.",
			strings.Join(all[:most], ", "),
			len(all)-most)}
	}
	return p
}

var separators = regexp.MustCompile(`[-_.]+`)

func normal(name string) string { return strings.ToLower(separators.ReplaceAllString(name, "-")) }

// otherNames are distributions that are named unlike the module that they bring.
var otherNames = map[string]string{"PIL": "pillow", "cv2": "opencv", "yaml": "pyyaml", "sklearn": "scikit-learn",
	"skimage": "scikit-image",
	"bs4":     "beautifulsoup4", "dateutil": "python-dateutil", "dotenv": "python-dotenv", "attr": "attrs", "pkg_resources": "setuptools",
	"google": "google", "Bio": "biopython", "nacl": "pynacl", "jwt": "pyjwt", "faiss": "faiss", "flwr_datasets": "flwr-datasets"}

// brings reports whether one of the packages is named like an imported module.
func (p packages) brings(module string) bool {
	want := normal(module)
	if other := otherNames[module]; other != "" {
		want = other
	}
	return slices.ContainsFunc(p.names, func(name string) bool { return name == want || strings.HasPrefix(name, want+"-") })
}

// componentFindings tells of the ServerApp and the ClientApp.
func componentFindings(facts []fact) (out []doctor.Finding) {
	titles := map[string]string{"serverapp": "ServerApp", "clientapp": "ClientApp"}
	for _, f := range facts {
		if f.Kind != "component" {
			continue
		}
		component := fmt.Sprintf("%s = %q", f.Part, f.Module+":"+f.Name)
		if f.Made != "" {
			out = append(out, doctor.Bad(partComponents, fmt.Sprintf("Name the app's %s under [tool.flwr.app.components].",
				titles[f.Part]),
				"%s is a %s (%s).", component, f.Made, f.place()))
			continue
		}
		out = append(out, doctor.Bad(partComponents, fmt.Sprintf("Define %s in %s, or correct [tool.flwr.app.components].", f.Name,
			f.File),
			"%s: %s does not define %s.", component, f.File, f.Name))
	}
	if len(out) == 0 {
		out = append(out, doctor.Good(partComponents, "The ServerApp and the ClientApp exist."))
	}
	return out
}

// importFindings tells of files that Python cannot read, and of imports of what does not exist.
func importFindings(facts []fact, p packages, flwr string) (out []doctor.Finding) {
	seen := map[string]bool{} // one finding for each missing name
	for _, f := range facts {
		var found doctor.Finding
		switch f.Kind {
		case "syntax":
			found = doctor.Bad(partImports, "Correct the file.", "%s is not valid Python: %s.", f.place(), strings.TrimSuffix(f.Name,
				"."))
		case "version":
			found = doctor.Warn(partImports, "Test the app with the server's version, and change the version in [project] dependencies.",
				"The app asks for flwr%s, but runs with flwr %s.", f.Name, flwr)
		case "flwr":
			found = doctor.Bad(partImports, fmt.Sprintf("Change the import to what flwr %s has, or replace the app by a version for it.",
				flwr),
				"%s uses %s, which flwr %s does not have: the app was written for another Flower version.", f.place(), f.Name, flwr)
		case "own":
			found = ownFinding(f)
		case "package":
			found = p.finding(f)
		}
		if f.Maybe && found.State == doctor.Failure && f.Kind != "package" {
			found.State = doctor.Warning
		}
		key := f.Kind + " " + f.Module + " " + f.Name
		if found.State != "" && !seen[key] {
			seen[key] = true
			out = append(out, found)
		}
	}
	if len(out) == 0 {
		out = append(out, doctor.Good(partImports, "All imports exist (flwr %s).", flwr))
	}
	return out
}

func ownFinding(f fact) doctor.Finding {
	if f.Name == "" {
		return doctor.Bad(partImports, "Add the module to the app, or check .gitignore and fab-include if it is in the app's folder.",
			"%s imports %s, which is not in the app.", f.place(), f.Module)
	}
	return doctor.Bad(partImports, "Correct the import, or define the name there.", "%s imports %s from %s, which does not define it.",
		f.place(), f.Name, f.Module)
}

// finding tells of an imported package that the pinned environment does not have; none if a dependency brings it.
func (p packages) finding(f fact) doctor.Finding {
	remedy := fmt.Sprintf("Add the package that has %s to [project] dependencies in pyproject.toml.", f.Name)
	switch {
	case p.brings(f.Name):
		return doctor.Finding{}
	case p.known && len(p.names) == 0 && !f.Maybe:
		return doctor.Bad(partImports, remedy, "%s imports %s, which no dependency brings.", f.place(), f.Name)
	case p.known:
		return doctor.Warn(partImports, remedy+" If one of the dependencies has it, nothing needs to change.",
			"%s imports %s. No dependency has that name.", f.place(), f.Name)
	}
	return doctor.Finding{} // the dependencies are not known
}

// configFindings compares the keys that the code reads with those in pyproject.toml.
func configFindings(s sources, config []domain.ConfigKey) (out []doctor.Finding) {
	known := func(key string) bool {
		return slices.ContainsFunc(config, func(k domain.ConfigKey) bool { return k.Key == key })
	}
	seen := map[string]bool{}
	for _, read := range s.Reads {
		if !read.Reached || known(read.Key) || seen[read.Key] {
			continue
		}
		seen[read.Key] = true
		where := place(read.File, read.Line)
		remedy := fmt.Sprintf("Add %s with a default to [tool.flwr.app.config].", read.Key)
		if s.always(read.Key) {
			out = append(out, doctor.Bad(partConfig, remedy, "%s reads the key %s, which is not in [tool.flwr.app.config].", where,
				read.Key))
		} else {
			out = append(out, doctor.Warn(partConfig, remedy,
				"%s reads the key %s, which is not in [tool.flwr.app.config]: no run can set it.", where, read.Key))
		}
	}
	if s.Computed != nil {
		if len(out) == 0 {
			out = append(out, doctor.Good(partConfig, "All keys that the code reads by name are in [tool.flwr.app.config]."))
		}
		return append(out, doctor.Skip(partConfig, "Unused keys are not checked: %s may read any key.", place(s.Computed.File,
			s.Computed.Line)))
	}
	for _, k := range config {
		if !slices.ContainsFunc(s.Reads, func(read keyRead) bool { return read.Key == k.Key }) {
			out = append(out, doctor.Warn(partConfig, "Remove the key, or read it from context.run_config.",
				"The code never reads the key %s of [tool.flwr.app.config].", k.Key))
		}
	}
	if len(out) == 0 {
		out = append(out, doctor.Good(partConfig, "The keys that the code reads are those in [tool.flwr.app.config]."))
	}
	return out
}

// always reports whether the code fails without a key: it reads the key somewhere, and nowhere copes with its absence.
func (s sources) always(key string) bool {
	of := slices.DeleteFunc(slices.Clone(s.Reads), func(r keyRead) bool { return r.Key != key })
	return !slices.ContainsFunc(of, func(r keyRead) bool { return r.Optional })
}
