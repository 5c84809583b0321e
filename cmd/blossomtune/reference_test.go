//go:build !participant

package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var update = flag.Bool("update", false, "regenerate docs/commands.md and docs/settings.md")

// docs/commands.md and docs/settings.md are what the command line and the one struct of settings say.
func TestReferencesAreCurrent(t *testing.T) {
	m := model(t).Model
	for name, text := range map[string]string{"commands.md": commandsPage(m), "settings.md": settingsPage(m)} {
		path := filepath.Join("..", "..", "docs", name)
		if *update {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		have, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(have) != text {
			t.Errorf("docs/%s is not current: go test ./cmd/blossomtune -run TestReferencesAreCurrent -update", name)
		}
	}
}

const commandsHead = `# Commands

This page lists every command and flag. It is generated from the command line itself: after a change, run
` + "`go test ./cmd/blossomtune -run TestReferencesAreCurrent -update`" + `.

Commands that call a server use the one that you logged in to last:

    blossomtune login https://fl.example.org

This stores the server's address, its CA and an API token in a file that only you can read. The token is read from the terminal, from
standard input or from BLOSSOMTUNE_TOKEN, never from an argument. Scripts set BLOSSOMTUNE_SERVER and BLOSSOMTUNE_TOKEN, and BLOSSOMTUNE_PIN
where the server has a CA of its own. They use ` + "`--output json`" + `, which prints what the API answers.

For completion, add one of these to your shell's start-up file:

    source <(blossomtune completion bash)
    source <(blossomtune completion zsh)
    blossomtune completion fish | source

## Exit codes

| code | meaning |
|---|---|
| 0 | success |
| 1 | any other error |
| 2 | access denied; for ` + "`join`" + `, a service does not start it again |
| 3, 4, 5, 6 | of ` + "`status`, `doctor`, `app check`, `verify` and `ledger`" + `, as their help says |
| 7 | commands that call a server: not logged in, or the token is not valid |
| 8 | not found, or not visible with this token |
| 9 | conflict: the state does not allow it |
| 10 | the server does not answer, is temporarily unavailable or limits the rate |
| 11 | the run that was waited for did not complete |
| 80 | the command line is not valid |

`

func commandsPage(m *kong.Application) string {
	var out strings.Builder
	out.WriteString(commandsHead)
	shared := map[string]bool{"server": true, "pin": true, "output": true, "help": true}
	out.WriteString("## Flags of commands that call a server\n\n| flag | meaning |\n|---|---|\n")
	for _, f := range find(m.Node, "whoami").Flags {
		flagRow(&out, f)
	}
	for _, top := range m.Children {
		if top.Tag.Hidden {
			continue
		}
		fmt.Fprintf(&out, "\n## %s\n\n%s\n", top.Name, top.Help)
		leaves := top.Leaves(true)
		if len(top.Children) == 0 {
			leaves = []*kong.Node{top}
		}
		for _, n := range leaves {
			fmt.Fprintf(&out, "\n### blossomtune %s\n\n", usage(n))
			if n != top {
				out.WriteString(n.Help + "\n\n")
			}
			if n.Name == "serve" || n.Name == "config" {
				out.WriteString("Its flags are the [settings](settings.md).\n\n")
				continue
			}
			arguments(&out, n, shared)
		}
	}
	return strings.TrimRight(out.String(), "\n") + "\n"
}

func find(n *kong.Node, name string) *kong.Node {
	for _, c := range n.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// usage is a command with its arguments.
func usage(n *kong.Node) string {
	var words []string
	for p := n; p.Parent != nil; p = p.Parent {
		words = append([]string{p.Name}, words...)
	}
	for _, p := range n.Positional {
		if p.Tag.Hidden {
			continue
		}
		w := strings.ToUpper(p.Name)
		if p.IsCumulative() {
			w += " …"
		}
		if !p.Required {
			w = "[" + w + "]"
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

func arguments(out *strings.Builder, n *kong.Node, shared map[string]bool) {
	var rows strings.Builder
	for _, p := range n.Positional {
		if !p.Tag.Hidden {
			fmt.Fprintf(&rows, "| %s | %s |\n", strings.ToUpper(p.Name), inTable(p.Help))
		}
	}
	_, calls := n.Target.Addr().Interface().(interface{ apiCommand() })
	for _, f := range n.Flags {
		if !f.Hidden && f.Name != "help" && (!calls || !shared[f.Name]) {
			flagRow(&rows, f)
		}
	}
	if rows.Len() > 0 {
		out.WriteString("| argument | meaning |\n|---|---|\n" + rows.String())
	}
}

func flagRow(out *strings.Builder, f *kong.Flag) {
	if f.Name == "help" {
		return
	}
	name := "--" + f.Name
	switch {
	case f.Tag.Negatable != "":
		name = "--[no-]" + f.Name
	case !f.IsBool():
		what := f.PlaceHolder
		if what == "" {
			what = strings.ToUpper(f.Name[strings.LastIndex(f.Name, "-")+1:])
		}
		name += "=" + what
	}
	if f.Short != 0 {
		name += ", -" + string(f.Short)
	}
	help := f.Help
	if f.HasDefault && f.Default != "" {
		help += " Default: " + f.Default + "."
	}
	if len(f.Envs) > 0 {
		help += " Variable: " + strings.Join(f.Envs, ", ") + "."
	}
	fmt.Fprintf(out, "| `%s` | %s |\n", strings.ReplaceAll(name, "|", `\|`), inTable(help))
}

func inTable(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "\n", " ").Replace(s)
}

const settingsHead = `# Settings

Every setting of ` + "`blossomtune serve`" + `: a flag, an environment variable, and a key of the configuration file with the flag's name. It is generated
from the struct that holds them (` + "`internal/config/config.go`" + `): after a change, run
` + "`go test ./cmd/blossomtune -run TestReferencesAreCurrent -update`" + `.

Flags take precedence over the environment, and the environment over the file; [configuration](configuration.md) has examples.
` + "`blossomtune config`" + ` prints the values in effect, with secrets masked.

| flag | variable | default | meaning |
|---|---|---|---|
`

func settingsPage(m *kong.Application) string {
	var out strings.Builder
	out.WriteString(settingsHead)
	for _, f := range find(m.Node, "serve").Flags {
		if f.Name == "help" || f.Hidden {
			continue
		}
		value := f.Default
		if value == "" {
			value = "–"
		}
		fmt.Fprintf(&out, "| `--%s` | `%s` | %s | %s |\n", f.Name, strings.Join(f.Envs, ", "), inTable(value), inTable(f.Help))
	}
	return out.String()
}
