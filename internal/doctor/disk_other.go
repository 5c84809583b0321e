//go:build !linux && !darwin

package doctor

// diskFinding says nothing on this system.
func diskFinding(string) Finding { return Finding{} }
