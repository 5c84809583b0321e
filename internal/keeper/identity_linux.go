package keeper

import "blossomtune/internal/keeper/proc"

func startOf(pid int) (string, bool) {
	f := proc.Stat(pid)
	if f == nil || f[proc.State] == "Z" || f[proc.State] == "X" {
		return "", false
	}
	return f[proc.Start], true
}
