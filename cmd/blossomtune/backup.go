//go:build !participant

package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"blossomtune/internal/backup"
	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/store"

	"github.com/alecthomas/kong"
	"github.com/mattn/go-isatty"
	"golang.org/x/term"
)

type backupCmd struct {
	Create backupCreateCmd `cmd:"" default:"withargs" help:"Back up the server in --data into FILE. The server can be running. This is the default."`
	Verify backupVerifyCmd `cmd:"" help:"Read a whole backup and check it. Nothing is changed."`
	List   backupListCmd   `cmd:"" op:"list-backups" help:"List the server's backups, and say whether they need attention."`
	Start  backupStartCmd  `cmd:"" op:"start-backup" help:"Ask the server to back itself up as its settings say."`
	Key    backupKeyCmd    `cmd:"" help:"Make a key for encrypted backups: a file that opens them, and the recipient to encrypt for."`
}

type backupCreateCmd struct {
	config.Config
	protectFlags
	To        string `arg:"" name:"file" help:"The file to write. It must not exist." type:"path"`
	Artifacts bool   `help:"Include the files that runs produced." default:"true" negatable:""`
	Logs      bool   `help:"Include logs." default:"true" negatable:""`
}

// protectFlags say how a backup is encrypted. Without any, --backup-recipient and --backup-passphrase-file apply.
type protectFlags struct {
	Recipient      []string `help:"Encrypt for this age recipient (age1…)."`
	PassphraseFile string   `help:"Encrypt with the passphrase in this file." type:"path" name:"passphrase-file"`
	Passphrase     bool     `help:"Ask for the passphrase on the terminal."`
	Clear          bool     `help:"Do not encrypt."`
}

// Run makes a backup and records it in the server's audit.
func (c *backupCreateCmd) Run(ctx context.Context, k *kong.Context) error {
	if err := settle(&c.Config, k); err != nil {
		return err
	}
	p, err := c.protection(c.Config.Backup)
	if err != nil {
		return err
	}
	began := time.Now()
	o := backup.Options{Config: c.Config, File: c.To, Protect: p, Artifacts: c.Artifacts, Logs: c.Logs, Server: versionOf(), Clock: time.Now}
	res, err := backup.Create(ctx, o)
	if err != nil {
		return err
	}
	how := "encrypted"
	if p.Clear {
		how = "not encrypted"
	}
	fmt.Printf("%s: %s, %d entries, %s, in %s\n", res.File, megabytes(res.Size), len(res.Manifest.Entries), how,
		time.Since(began).Round(time.Millisecond))
	tellSkipped(os.Stdout, res.Manifest)
	return noteMade(ctx, c.Config.Database, began, res, p)
}

// noteMade records a backup in the database, unless its schema is not that of this program.
func noteMade(ctx context.Context, address string, began time.Time, res backup.Result, p backup.Protection) error {
	db, err := store.OpenExisting(ctx, address)
	if err != nil {
		return err
	}
	defer db.Close()
	if pending, err := db.Pending(ctx); err != nil || pending {
		return err
	}
	b := domain.Backup{Kind: domain.BackupByCommand, StartedAt: began.UTC(), EndedAt: time.Now().UTC(), File: res.File, Size: res.Size,
		SHA256: res.SHA256, Clear: p.Clear}
	if err := backup.Note(ctx, db, domain.System, &b); err != nil {
		return domain.Errorf(domain.Unavailable,
			"The backup was made, but could not be recorded in the audit.").Fix("Check the database; the backup itself is whole.").Because(err)
	}
	return nil
}

func (f protectFlags) protection(set config.Backup) (backup.Protection, error) {
	if len(f.Recipient) == 0 && f.PassphraseFile == "" && !f.Passphrase && !f.Clear {
		return backup.Configured(set)
	}
	p := backup.Protection{Recipients: f.Recipient, Clear: f.Clear}
	var err error
	switch {
	case f.PassphraseFile != "" && f.Passphrase:
		return p, domain.Errorf(domain.Invalid, "--passphrase and --passphrase-file exclude each other.").Fix("Give one of them.")
	case f.PassphraseFile != "":
		p.Passphrase, err = backup.ReadSecret(f.PassphraseFile)
	case f.Passphrase:
		p.Passphrase, err = askTwice()
	}
	if err == nil {
		err = p.Check()
	}
	return p, err
}

// ask reads a passphrase from the terminal, without showing it.
func ask(prompt string) (string, error) {
	if !isatty.IsTerminal(os.Stdin.Fd()) {
		return "", domain.Errorf(domain.Invalid,
			"The passphrase cannot be asked for: standard input is not a terminal.").Fix("Give --passphrase-file FILE.")
	}
	fmt.Fprint(os.Stderr, prompt)
	text, err := term.ReadPassword(int(os.Stdin.Fd()))
	fmt.Fprintln(os.Stderr)
	if err == nil && len(text) == 0 {
		err = domain.Errorf(domain.Invalid, "The passphrase is empty.")
	}
	return string(text), err
}

func askTwice() (string, error) {
	first, err := ask("Passphrase: ")
	if err != nil {
		return "", err
	}
	again, err := ask("Again: ")
	if err == nil && !bytes.Equal([]byte(first), []byte(again)) {
		err = domain.Errorf(domain.Invalid, "The passphrases differ.")
	}
	return first, err
}

// openFlags open an encrypted backup.
type openFlags struct {
	Identity       string `help:"File with the secret key (AGE-SECRET-KEY-…) of a backup that was encrypted for a recipient." type:"path"`
	PassphraseFile string `help:"File with the passphrase of the backup." type:"path" name:"passphrase-file" env:"BLOSSOMTUNE_BACKUP_PASSPHRASE_FILE"`
}

func (f openFlags) keys() (backup.Keys, error) {
	k := backup.Keys{Passphrase: onceAsked(func() (string, error) {
		if f.PassphraseFile != "" {
			return backup.ReadSecret(f.PassphraseFile)
		}
		return ask("Passphrase of the backup: ")
	})}
	var err error
	if f.Identity != "" {
		k.Identities, err = backup.ReadSecret(f.Identity)
	}
	return k, err
}

// onceAsked remembers the first answer: a restore reads a backup twice.
func onceAsked(from func() (string, error)) func() (string, error) {
	var text string
	return func() (string, error) {
		var err error
		if text == "" {
			text, err = from()
		}
		return text, err
	}
}

type backupVerifyCmd struct {
	openFlags
	File string `arg:"" help:"The backup." type:"path"`
}

// Run checks a backup and prints what is in it.
func (c *backupVerifyCmd) Run(ctx context.Context) error {
	k, err := c.keys()
	if err != nil {
		return err
	}
	r, err := backup.Verify(ctx, c.File, k)
	if err != nil {
		return err
	}
	tell(os.Stdout, r)
	fmt.Println("The backup is whole.")
	return nil
}

type backupKeyCmd struct {
	File string `arg:"" help:"The file to write the secret key to. Keep it away from the server." type:"path"`
}

// Run makes a key and prints its recipient.
func (c *backupKeyCmd) Run() error {
	recipient, err := backup.NewKey(c.File)
	if err == nil {
		fmt.Println(recipient)
	}
	return err
}

// tell prints what is in a backup.
func tell(w io.Writer, r backup.Report) {
	m := r.Manifest
	fmt.Fprintf(w, "Made          %s by version %s on %s\n", m.Made.Format("2006-01-02 15:04:05 UTC"), m.Server,
		cmp.Or(m.Host, "an unnamed machine"))
	fmt.Fprintf(w, "Instance      %s\n", cmp.Or(m.Database.Instance, "not known"))
	fmt.Fprintf(w, "Database      %s %s, schema %d\n", m.Database.Engine, m.Database.Version, m.Database.Schema)
	if m.Database.Audited {
		fmt.Fprintf(w, "Audit         %d entries, whole\n", r.Audit.Entries)
	}
	for _, g := range backup.Groups(m) {
		fmt.Fprintf(w, "%-13s %d entries, %s\n", g.Name, g.Entries, megabytes(g.Bytes))
	}
	tellSkipped(w, m)
}

func tellSkipped(w io.Writer, m backup.Manifest) {
	for _, s := range m.Skipped {
		fmt.Fprintf(w, "Not included: %s (%s)\n", printable(s.Name), s.Reason)
	}
	for _, e := range m.Entries {
		if e.Changed {
			fmt.Fprintf(w, "Became shorter while it was read: %s\n", printable(e.Name))
		}
	}
}

func megabytes(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d kB", (n+1023)>>10)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
}
