//go:build !linux && !darwin && !participant

package doctor

// diskFinding returns no finding: free disk space is checked on Linux and macOS only.
func diskFinding(string) Finding { return Finding{} }
