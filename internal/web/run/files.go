package run

import (
	"fmt"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
	"blossomtune/internal/web/ui"
)

// maxFilesShown is how many files of a run are listed.
const maxFilesShown = runs.MaxArtifacts

// keepWords says when a run's files will go.
func keepWords(d runDetail) string {
	k := d.keep
	switch {
	case k.Days > 0 && k.Runs > 0:
		return fmt.Sprintf("Kept for %s after the end, or as long as this is among the last %s.", ui.Plural(k.Days, "day", "days"),
			ui.Plural(k.Runs, "run", "runs")) + goneAt(d)
	case k.Days > 0:
		return fmt.Sprintf("Kept for %s after the run's end.", ui.Plural(k.Days, "day", "days")) + goneAt(d)
	case k.Runs > 0:
		return fmt.Sprintf("Kept as long as this is among the last %s of the federation.", ui.Plural(k.Runs, "run", "runs"))
	}
	return ""
}

func goneAt(d runDetail) string {
	if d.keep.Days == 0 || !d.run.State.Ended() {
		return ""
	}
	words := " They go on "
	if d.keep.Runs > 0 {
		words = " They stay at least until "
	}
	return words + d.run.EndedAt.Add(time.Duration(d.keep.Days)*24*time.Hour).Format("2 Jan 2006") + "."
}

func sweptWords(w domain.Swept) string {
	return fmt.Sprintf("%s with %s went on %s, as the federation keeps files. Their hashes are in the receipt.",
		ui.Plural(w.Files, "file", "files"), ui.Size(w.Bytes), w.At.Format("2 Jan 2006"))
}
