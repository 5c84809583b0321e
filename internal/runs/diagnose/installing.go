package diagnose

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"blossomtune/internal/logfile"
	"blossomtune/internal/runs/applog"
)

// What uv says of packages that it cannot install (uv 0.13: crates/uv-resolver/src/pubgrub/report.rs). It derives why there is no
// solution in sentences that name who asks for which versions; older releases say the same with other marks before the lines.
var (
	unsolvedPattern    = regexp.MustCompile(`No solution found when resolving`)
	uvMarkPattern      = regexp.MustCompile(`^\s*(?:cause:|[×│├╰]─*▶?)?\s*`)
	dependsPattern     = regexp.MustCompile("(?:all versions of )?`?(your project|[A-Za-z0-9._\\[\\]-]+(?:[<>=!~][^ `]*)?)`? depends? on `?([A-Za-z0-9._-]+)(?:\\[[^\\]]*\\])?(?:\\{[^}]*\\})?([<>=!~][^ `]*)?`?")
	wontPattern        = regexp.MustCompile("`?([A-Za-z0-9._-]+?)(==[^ `]+)?`? has no (?:wheels|usable wheels|source distribution)")
	noVersionPattern   = regexp.MustCompile("(?i)there (?:is no version|are no versions) of `?([A-Za-z0-9._-]+)")
	noPackagePattern   = regexp.MustCompile("(?i)because `?([A-Za-z0-9._-]+)`? was not found in the (?:package registry|provided package locations)")
	onlyPattern        = regexp.MustCompile("only `?([A-Za-z0-9._-]+?)`?([<>=!~][^ `]*)? (?:is|are) available")
	fetchPattern       = regexp.MustCompile("Failed to fetch: `?(\\S+?)`?$")
	interpreterPattern = regexp.MustCompile("resolved to Python ([0-9.]+), which is incompatible with the project's Python requirement: `([^`]+)`")
	buildPattern       = regexp.MustCompile("Failed to (?:download and )?build `?([^`@ ]+)")
)

const (
	mendDependency = "Fix the dependency in pyproject.toml and add the new version; or name a package index that has it."
	mendConflict   = "Change one of these versions in the app's pyproject.toml, so that they fit together, and add the new version."
)

// uninstalled has the words for packages that could not be installed, and where in the lines uv says so; at is -1 where it says nothing
// that is known.
func uninstalled(lines []string) (message, remedy string, at int) {
	for i := len(lines) - 1; i >= 0; i-- {
		text := lines[i]
		if unsolvedPattern.MatchString(text) {
			why, n := derivation(lines[i+1:])
			message, remedy = unsolved(why)
			return message, remedy, i + n
		}
		if m := interpreterPattern.FindStringSubmatch(text); m != nil {
			return fmt.Sprintf("The app needs Python %s; this environment has %s.", m[2], m[1]), "Change requires-python in the app's pyproject.toml and add the new version, or run it where that Python is.", i
		}
		if m := fetchPattern.FindStringSubmatch(text); m != nil {
			return "The package index was not reached: " + m[1] + lastCause(lines[i+1:]) + ".", "Look at its address, the network and the certificate; without an index of its own, a run uses the one that the machine is configured with.", i
		}
		if m := buildPattern.FindStringSubmatch(text); m != nil {
			return "Installing " + m[1] + " failed: its source could not be built here.", "Name a version that comes as a wheel for this Python, or install what its build needs; the log has the build's own words.", i
		}
	}
	return "", "", -1
}

// lastCause is the innermost of the causes that follow an error of uv's, to follow its message; "" if there is none.
func lastCause(lines []string) (said string) {
	for _, l := range lines {
		text, ok := strings.CutPrefix(strings.TrimSpace(l), "cause: ")
		if !ok {
			break
		}
		said = ", " + cutText(text)
	}
	return said
}

// derivation is the sentences that follow "No solution found", as one text, and how many lines they take.
func derivation(lines []string) (text string, n int) {
	var b strings.Builder
	for _, l := range lines {
		l = uvMarkPattern.ReplaceAllString(l, "")
		if l == "" || strings.HasPrefix(l, "hint:") || applog.HasLevel(l) {
			break
		}
		b.WriteString(l)
		b.WriteByte(' ')
		n++
	}
	return b.String(), n
}

// need is what somebody asks of a package.
type need struct{ who, name, spec string }

// unsolved says which packages or versions a derivation is about.
func unsolved(text string) (message, remedy string) {
	needs := needsIn(text)
	asked := func(name string) string {
		for _, n := range needs {
			if n.name == name {
				return strings.TrimSpace(name + " " + strings.TrimPrefix(n.spec, "=="))
			}
		}
		return name
	}
	if m := noPackagePattern.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("Installing %s failed: the package index has no such package.", asked(m[1])), mendDependency
	}
	if m := wontPattern.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("Installing %s failed: there is no build of it for this Python or machine.", strings.TrimSpace(m[1]+" "+strings.TrimPrefix(m[2], "=="))), mendDependency
	}
	if said := conflict(needs); said != "" {
		return "Installing the app's packages failed: " + said + ".", mendConflict
	}
	if m := onlyPattern.FindStringSubmatch(text); m != nil {
		has := ""
		if m[2] != "" {
			has = "; the package index has " + m[1] + " " + m[2]
		}
		return fmt.Sprintf("Installing %s failed: no such version%s.", asked(m[1]), has), mendDependency
	}
	if m := noVersionPattern.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("Installing %s failed: no such version.", asked(m[1])), mendDependency
	}
	return "Installing the app's packages failed: there are no versions that fit together.", mendConflict
}

var concludedPattern = regexp.MustCompile(`we can conclude that [^.]*(?:\.\d[^.]*)*\.? ?`)

// needsIn lists who asks for what, without what uv concludes from it.
func needsIn(text string) (out []need) {
	for _, m := range dependsPattern.FindAllStringSubmatch(concludedPattern.ReplaceAllString(text, ""), -1) {
		n := need{who: m[1], name: m[2], spec: strings.TrimRight(m[3], ",.")}
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// conflict says who asks for which versions of a package that is asked for twice; "" if none is.
func conflict(needs []need) string {
	for _, n := range needs {
		var others []string
		for _, o := range needs {
			if o.name == n.name {
				others = append(others, o.words())
			}
		}
		if len(others) > 1 {
			return strings.Join(others[:len(others)-1], ", ") + " and " + others[len(others)-1] + " do not fit"
		}
	}
	return ""
}

func (n need) words() string {
	who := n.who
	if who == "your project" {
		who = "the app"
	} else if at := strings.IndexAny(who, "<>=!~"); at > 0 {
		who = who[:at] + " " + strings.TrimPrefix(who[at:], "==")
	}
	spec := strings.TrimPrefix(n.spec, "==")
	if spec == "" {
		spec = "of any version"
	}
	return fmt.Sprintf("%s %s of %s", n.name, spec, who)
}

// uncoloured are the texts of lines, with their levels.
func uncoloured(lines []logfile.Line) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = applog.Uncoloured(l.Text)
	}
	return out
}
