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
	Backup       backupCmd       `cmd:"" help:"Back up the server in --data into one file while it runs, or verify such a file."`
	Restore      restoreCmd      `cmd:"" help:"Restore a backup into an empty data directory and an empty database."`
	Login        loginCmd        `cmd:"" op:"me" help:"Log in to a server: keep its address, its CA and an API token for the commands below. The token is read from BLOSSOMTUNE_TOKEN or standard input."`
	Logout       logoutCmd       `cmd:"" help:"Forget a server."`
	Whoami       whoamiCmd       `cmd:"" op:"me" help:"Show whose token is used, and where."`
	Federation   federationCmd   `cmd:"" help:"Federations: create, change, start, stop."`
	Request      requestCmd      `cmd:"" help:"Requests to join: list, approve, reject, revoke; your own."`
	Invite       inviteCmd       `cmd:"" help:"Invitations, and rules that approve without a review."`
	Node         nodeCmd         `cmd:"" help:"SuperNodes: list, suspend, resume."`
	App          appCmd          `cmd:"" help:"Flower Apps: make, list, add, read, compare."`
	Run          runCmd          `cmd:"" help:"Runs: start, watch, compare, download."`
	User         userCmd         `cmd:"" help:"People: list, roles, access."`
	Webhook      webhookCmd      `cmd:"" help:"Webhooks of a federation, or of the server."`
	Notification notificationCmd `cmd:"" help:"What is mailed to you."`
	Mail         mailCmd         `cmd:"" help:"The outbox."`
	Audit        auditCmd        `cmd:"" help:"The audit: who did what."`
	Site         siteCmd         `cmd:"" help:"What a server says of itself: name, colours, texts."`
	Token        tokenCmd        `cmd:"" help:"API tokens."`
	Link         linkCmd         `cmd:"" help:"Print a one-time link that signs this host's admin in."`
	CA           caCmd           `cmd:"" name:"ca" help:"The server's own CA."`
	Config       configCmd       `cmd:"" help:"Print the effective settings, secrets masked."`
	Completion   completionCmd   `cmd:"" help:"Print a completion script for a shell."`
	Keeper       keeperCmd       `cmd:"" hidden:"" help:"Own a federation's SuperLink (started by the server)."`
}
