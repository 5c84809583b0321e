package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

func verb(p domain.Phase) string {
	switch p {
	case domain.PhaseTrain, domain.PhaseEvaluate:
		return string(p)
	}
	return "answer"
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func onlineWords(n int) string {
	if n == 0 {
		return "none online"
	}
	return fmt.Sprintf("%d online", n)
}

// Partitions names some: "partition 4", "partitions 1, 4 and 7".
func Partitions(list []int) string {
	slices.Sort(list)
	list = slices.Compact(list)
	if len(list) == 0 {
		return "a SuperNode"
	}
	if len(list) == 1 {
		return fmt.Sprintf("partition %d", list[0])
	}
	more := ""
	if len(list) > 8 {
		more, list = fmt.Sprintf(" and %d more", len(list)-8), list[:8]
	}
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = fmt.Sprint(n)
	}
	if more != "" {
		return "partitions " + strings.Join(words, ", ") + more
	}
	return "partitions " + strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// clock writes a time of the day, moment one with its date; both in UTC, which they say.
func clock(t time.Time) string  { return t.UTC().Format("15:04") + " UTC" }
func moment(t time.Time) string { return t.UTC().Format("2 Jan, 15:04") + " UTC" }
