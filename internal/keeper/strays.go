package keeper

// DirEnv is the environment variable with the [filelock.DirID] of the directory that a keeper and its children work for.
const DirEnv = "BLOSSOMTUNE_KEEPER_DIR"
