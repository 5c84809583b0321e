package web

import (
	"fmt"

	"blossomtune/internal/domain"
	"blossomtune/internal/keeper/contain"
)

// containedWords tells how apps run at a participant's; "" when it is not known.
func containedWords(v domain.NodeSeen) string {
	words := v.Contained.Words()
	if words == "" || !v.Contained.Strong() {
		return words
	}
	if v.Data == 0 {
		return words + ", without any data folder"
	}
	return words + fmt.Sprintf(", with %s to read", plural(v.Data, "data folder", "data folders"))
}

// reportWords tells an admin how ServerApps run on this machine.
func reportWords(r contain.Report) string {
	c := domain.Containment(r.Level())
	words := c.Words()
	if r.Landlock > 0 {
		words += fmt.Sprintf("; Landlock ABI %d", r.Landlock)
	}
	if c != domain.ContainedFully && r.Reason != "" {
		words += ". " + r.Reason
	}
	return words
}
