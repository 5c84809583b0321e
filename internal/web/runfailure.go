package web

import (
	"strconv"
	"strings"

	"blossomtune/internal/runs"
)

// failedAt names the SuperNode of a failure.
func (d runDetail) failedAt(f runs.AppFailure) string {
	if label := d.labels[strconv.FormatUint(f.NodeID, 10)]; label != "" {
		return strings.ToUpper(label[:1]) + label[1:]
	}
	return "A SuperNode that is gone"
}
