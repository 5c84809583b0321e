//go:build !participant

package main

import (
	"fmt"
	"slices"
	"strings"

	"blossomtune/internal/domain"

	"github.com/alecthomas/kong"
)

type completionCmd struct {
	Shell string   `arg:"" help:"bash, zsh or fish." enum:"bash,zsh,fish,words"`
	Words []string `arg:"" optional:"" hidden:"" help:"What is typed so far (called by the scripts)." passthrough:""`
}

// completions are the scripts: each asks the program itself what can follow.
var completions = map[string]string{
	"bash": `# For this shell: source <(blossomtune completion bash)
_blossomtune() {
  local IFS=$'\n'
  COMPREPLY=($(compgen -W "$(blossomtune completion words -- "${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null | cut -f1)" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _blossomtune blossomtune
`,
	"zsh": `#compdef blossomtune
# For this shell: source <(blossomtune completion zsh)
_blossomtune() {
  local -a found
  found=(${(f)"$(blossomtune completion words -- ${words[2,CURRENT-1]} 2>/dev/null | sed -e 's/:/\\:/g' -e 's/	/:/')"})
  if (( $#found )); then _describe blossomtune found; else _files; fi
}
compdef _blossomtune blossomtune
`,
	"fish": `# For this shell: blossomtune completion fish | source
complete -c blossomtune -f -a '(blossomtune completion words -- (commandline -opc)[2..-1] 2>/dev/null)'
complete -c blossomtune -n 'not string match -q -- "-*" (commandline -ct)' -F
`,
}

// Run prints a script, or for a script the words that can follow what is typed.
func (c *completionCmd) Run(t *terminal, k *kong.Context) error {
	if c.Shell != "words" {
		_, err := fmt.Fprint(t.Out, completions[c.Shell])
		return err
	}
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	for _, w := range follow(k.Model.Node, words) {
		if _, err := fmt.Fprintln(t.Out, w); err != nil {
			return err
		}
	}
	return nil
}

// follow returns the commands, flags or values that can follow some words, each with a tab and what it means.
func follow(n *kong.Node, typed []string) (out []string) {
	flags := slices.Clone(n.Flags)
	var open *kong.Flag // a flag that waits for its value
	for _, w := range typed {
		switch {
		case open != nil:
			open = nil
		case strings.HasPrefix(w, "-"):
			open = flagOf(flags, w)
		default:
			for _, child := range n.Children {
				if child.Name == w && child.Type == kong.CommandNode {
					n, flags = child, append(flags, child.Flags...)
					break
				}
			}
		}
	}
	if open != nil {
		return enumOf(open.Value)
	}
	for _, child := range n.Children {
		if !child.Hidden {
			out = append(out, child.Name+"\t"+firstSentence(child.Help))
		}
	}
	if p := len(n.Positional); p > 0 {
		out = append(out, enumOf(n.Positional[p-1])...)
	}
	for _, f := range flags {
		if !f.Hidden {
			out = append(out, "--"+f.Name+"\t"+firstSentence(f.Help))
		}
	}
	return out
}

// flagOf returns the flag of a word, if its value is the next word.
func flagOf(flags []*kong.Flag, word string) *kong.Flag {
	for _, f := range flags {
		if (word == "--"+f.Name || f.Short != 0 && word == "-"+string(f.Short)) && !f.IsBool() && !f.IsCounter() {
			return f
		}
	}
	return nil
}

func enumOf(v *kong.Value) (out []string) {
	for _, e := range v.EnumSlice() {
		if e != "" && e != "words" {
			out = append(out, e)
		}
	}
	return out
}

func firstSentence(s string) string {
	s, _, _ = strings.Cut(s, ". ")
	return domain.Cut(strings.TrimSuffix(s, "."), 80)
}
