package domain

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// MaxListMetric is how many elements of a list-valued metric are kept; further ones are counted as dropped.
const MaxListMetric = 100

// ElementName returns the name that an element of a list-valued metric is stored under: "per_class[3]".
func ElementName(list string, index int) string { return list + "[" + strconv.Itoa(index) + "]" }

// ListElement splits a name that [ElementName] made. It reports false for the name of a single number.
func ListElement(name string) (list string, index int, ok bool) {
	open := strings.LastIndexByte(name, '[')
	if open < 1 || !strings.HasSuffix(name, "]") {
		return "", 0, false
	}
	digits := name[open+1 : len(name)-1]
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || n >= MaxListMetric || strconv.Itoa(n) != digits {
		return "", 0, false
	}
	return name[:open], n, true
}

// WholeName returns the name of the list that an element belongs to, and any other name as it is.
func WholeName(name string) string {
	if list, _, ok := ListElement(name); ok {
		return list
	}
	return name
}

// FitMetricName makes a name that an app chose fit to be stored, at most [MaxMetricName] bytes long. Names that differ only beyond that
// length stay different.
func FitMetricName(name string) string {
	if len(name) <= MaxMetricName {
		return ToStorable(name)
	}
	sum := sha256.Sum256([]byte(name))
	end := "~" + hex.EncodeToString(sum[:4])
	return Cut(name, MaxMetricName-len(end)) + end
}

// Examples are the names that the number of examples behind a reply's metrics has: in the newer API, and in the older one.
var Examples = []string{"num-examples", "num_examples"}

// IsExamples reports whether a metric is the number of examples behind the others, with or without the name of its record.
func IsExamples(name string) bool {
	_, ok := ExamplesOf(name)
	return ok
}

// ExamplesOf returns the record whose examples a metric counts: "" for the bare name.
func ExamplesOf(name string) (record string, ok bool) {
	for _, key := range Examples {
		if record, ok := strings.CutSuffix(name, key); ok && (record == "" || strings.HasSuffix(record, ".")) {
			return strings.TrimSuffix(record, "."), true
		}
	}
	return "", false
}
