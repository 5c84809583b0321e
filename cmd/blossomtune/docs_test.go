package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var (
	codeBlock  = regexp.MustCompile("(?ms)^```[a-z]*\n(.*?)^```$")
	inlineCode = regexp.MustCompile("`([^`]+)`")
	makeTarget = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)
	targetUsed = regexp.MustCompile("`make ([a-z-]+)|(?m)^make ([a-z-]+)")
)

// Every command and flag that the docs, or a text of the program, name exists. What the commands do is tested where they are.
func TestCommandsInTextsExist(t *testing.T) {
	var c cli
	parser, err := kong.New(&c, kong.Name("blossomtune"), kong.Vars{"doctor_help": doctorHelp})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for name, text := range texts(t) {
		for _, line := range commandLines(text) {
			seen++
			if wrong := check(parser.Model.Node, strings.Fields(line)[1:]); wrong != "" {
				t.Errorf("%s: %q: %s", name, line, wrong)
			}
		}
	}
	if seen < 30 {
		t.Errorf("only %d commands were found", seen)
	}
}

// Every make target that the docs name exists.
func TestMakeTargetsInDocsExist(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, m := range makeTarget.FindAllStringSubmatch(string(makefile), -1) {
		targets = append(targets, m[1])
	}
	for name, text := range texts(t) {
		for _, m := range targetUsed.FindAllStringSubmatch(text, -1) {
			if target := m[1] + m[2]; !slices.Contains(targets, target) {
				t.Errorf("%s: there is no target %q", name, target)
			}
		}
	}
}

// texts are the Markdown files of the project and the sources that may name a command to people.
func texts(t *testing.T) map[string]string {
	out := map[string]string{}
	root, err := os.OpenRoot("../..")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || path != "." && strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		source := strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") && !strings.HasSuffix(path, "_templ.go")
		if d.IsDir() || filepath.Ext(path) != ".md" && filepath.Ext(path) != ".templ" && !source {
			return nil
		}
		text, err := root.ReadFile(path)
		out[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// commandLines finds calls of blossomtune in code blocks and inline code.
func commandLines(text string) []string {
	var out []string
	add := func(line string) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "$ ")
		for _, prefix := range []string{"sudo ", "./", "bin/"} {
			line = strings.TrimPrefix(line, prefix)
		}
		if strings.HasPrefix(line, "blossomtune ") {
			out = append(out, line)
		}
	}
	for _, m := range codeBlock.FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(strings.ReplaceAll(m[1], "\\\n", " ")) {
			add(line)
		}
	}
	for _, m := range inlineCode.FindAllStringSubmatch(codeBlock.ReplaceAllString(text, ""), -1) {
		add(m[1])
	}
	return out
}

// check says what is wrong with the words after the program's name; "" if they name a command and flags of it. Values are not checked, as
// the
// texts have placeholders.
func check(node *kong.Node, words []string) string {
	found := false
	for _, word := range words {
		switch {
		case strings.ContainsAny(word, "|<>;&#(") || word == "…":
			return ""
		case strings.HasPrefix(word, "--"):
			flag, _, _ := strings.Cut(strings.TrimRight(word, ".,:)]"), "=")
			if !hasFlag(node, strings.TrimPrefix(flag, "--")) {
				return "there is no flag " + flag
			}
		case len(node.Children) > 0:
			next := slices.IndexFunc(node.Children, func(n *kong.Node) bool {
				return n.Name == strings.TrimRight(word, ".,:") || slices.Contains(n.Aliases, word)
			})
			if next < 0 {
				if d := node.DefaultCmd; d != nil {
					node = d
					continue
				}
				return "there is no command " + word
			}
			node, found = node.Children[next], true
		}
	}
	if !found && len(words) > 0 && !strings.HasPrefix(words[0], "--") {
		return "no command"
	}
	return ""
}

func hasFlag(node *kong.Node, name string) bool {
	if name == "" || name == "help" {
		return true
	}
	for n := node; n != nil; n = n.Parent {
		for _, f := range n.Flags {
			if f.Name == name || f.Tag.Negatable != "" && strings.TrimPrefix(name, "no-") == f.Name {
				return true
			}
		}
	}
	for _, n := range node.Children {
		if n == node.DefaultCmd {
			return hasFlag(n, name)
		}
	}
	return false
}

var (
	testNamed   = regexp.MustCompile("`(Test[A-Z][A-Za-z0-9_]+)`")
	testDefined = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9_]+)\(`)
)

// Every test that the docs name exists.
func TestTestsInDocsExist(t *testing.T) {
	defined, named := map[string]bool{}, 0
	for _, dir := range []string{"../../internal", "../../e2e", "../../cmd"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range testDefined.FindAllStringSubmatch(string(text), -1) {
				defined[m[1]] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range texts(t) {
		if filepath.Ext(name) != ".md" {
			continue
		}
		for _, m := range testNamed.FindAllStringSubmatch(text, -1) {
			if named++; !defined[m[1]] {
				t.Errorf("%s: there is no test %s", name, m[1])
			}
		}
	}
	if named < 60 {
		t.Errorf("the docs name only %d tests", named)
	}
}

// The map names every package of internal/, at least by the folder that it is in.
func TestTheMapIsComplete(t *testing.T) {
	text, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	dirs, err := os.ReadDir("../../internal")
	if err != nil || len(dirs) < 30 {
		t.Fatalf("%d packages, %v", len(dirs), err)
	}
	for _, d := range dirs {
		if name := "internal/" + d.Name() + "/"; d.IsDir() && !strings.Contains(string(text), name) {
			t.Errorf("docs/architecture.md does not say what belongs in %s", name)
		}
	}
}
