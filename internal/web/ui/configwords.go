package ui

import (
	"strings"

	"blossomtune/internal/domain"
)

// Brief is the beginning of a text that may be long.
func Brief(text string) string {
	line, _, more := strings.Cut(text, "\n")
	if r := []rune(line); len(r) > 24 {
		line, more = string(r[:24]), true
	}
	if more {
		line += "…"
	}
	return line
}

// KeyHelp is what a key is for and what it may be.
func KeyHelp(k domain.ConfigKey) string {
	words := map[domain.ConfigKind]string{domain.KindInt: "whole number", domain.KindFloat: "number", domain.KindString: "text",
		domain.KindBool: "true or false"}[k.Kind]
	switch {
	case len(k.Choices) > 0:
		words += ": " + strings.Join(KeyOptions(k), ", ")
	case k.Min != nil && k.Max != nil:
		words += ", " + domain.ConfigText(*k.Min) + " to " + domain.ConfigText(*k.Max)
	case k.Min != nil:
		words += ", at least " + domain.ConfigText(*k.Min)
	case k.Max != nil:
		words += ", at most " + domain.ConfigText(*k.Max)
	}
	return strings.TrimSpace(k.Help + " " + domain.FirstUpper(words) + ".")
}

// KeyOptions are the values that a key of an app's configuration can have, where they are a choice.
func KeyOptions(k domain.ConfigKey) []string {
	if k.Kind == domain.KindBool {
		return []string{"true", "false"}
	}
	var out []string
	for _, c := range k.Choices {
		out = append(out, domain.ConfigText(c))
	}
	return out
}
