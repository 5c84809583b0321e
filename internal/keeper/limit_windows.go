package keeper

// Memory returns false: it cannot be known here.
func (*Child) Memory() (int64, bool) { return 0, false }

// GroupMemory returns the bytes that the processes of a group hold in memory together, and false where that cannot be known.
func GroupMemory(int) (int64, bool) { return 0, false }
