//go:build !participant

package main

const (
	description = "Run federations of Flower: who joins, what runs, what comes out."
	doctorHelp  = "Check the server in --data and the federations that this machine has joined, and report problems with remedies."
)

// cli is the command line: one file per subcommand.
type cli struct {
	Serve serveCmd `cmd:"" help:"Run the server."`
	Demo  demoCmd  `cmd:"" help:"Show a whole federation on this machine: server, two participants, one run."`
	participantCommands
	Backup  backupCmd  `cmd:"" help:"Back up the server in --data into one file while it runs, or verify such a file."`
	Restore restoreCmd `cmd:"" help:"Restore a backup into an empty data directory and an empty database."`
	Token   tokenCmd   `cmd:"" help:"API tokens."`
	Link    linkCmd    `cmd:"" help:"Print a one-time link that signs this host's admin in."`
	CA      caCmd      `cmd:"" name:"ca" help:"The server's own CA."`
	Config  configCmd  `cmd:"" help:"Print the effective settings, secrets masked."`
	Keeper  keeperCmd  `cmd:"" hidden:"" help:"Own a federation's SuperLink (started by the server)."`
}
