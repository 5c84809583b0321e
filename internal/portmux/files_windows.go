package portmux

// openFiles is not limited on Windows.
func openFiles() int { return 1 << 20 }
