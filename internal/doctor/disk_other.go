//go:build !linux && !darwin && !participant

package doctor

// diskFinding is not implemented on this system.
func diskFinding(string) Finding { return Finding{} }
