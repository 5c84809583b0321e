package sysinfo

import (
	"strings"
	"testing"

	"blossomtune/internal/domain"
)

func TestAFullDiskRefusesLaunches(t *testing.T) {
	if err := checkSpace(0, 0); err != nil { // not known here
		t.Error(err)
	}
	if err := checkSpace(leastFree, 1<<40); err != nil {
		t.Error(err)
	}
	if err := checkSpace(99<<20, 1<<40); domain.CodeOf(err) != domain.Unavailable || !strings.Contains(err.Error(), "99 MB are free") {
		t.Error(err)
	}
}
