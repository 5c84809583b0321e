// Package config is the one place where every setting of the server is named, documented and checked.
// The command line fills the struct: each field is a flag, an environment variable BLOSSOMTUNE_<NAME> and a key of the
// configuration file.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/site"
)

// Config is every setting of `blossomtune serve`. Zero values are usable; [Config.Resolve] fills what depends on others.
type Config struct {
	File      string   `help:"Configuration file (TOML): a flag's name without its dashes = its value; and the site's texts below [site]. Flags and the environment go before it." env:"BLOSSOMTUNE_CONFIG" name:"config" type:"path"`
	Data      string   `help:"Directory that holds everything: database, certificates, Python environment, engines." default:"blossomtune-data" env:"BLOSSOMTUNE_DATA" type:"path"`
	Listen    string   `help:"Address and port to listen on; the one port for browsers, the API and SuperNodes." default:"127.0.0.1:8443" env:"BLOSSOMTUNE_LISTEN"`
	PublicURL string   `help:"Address under which browsers and participants reach this server, e.g. https://fl.example.org. Default: made from --listen." env:"BLOSSOMTUNE_PUBLIC_URL" name:"public-url"`
	Database  string   `help:"Database: sqlite:FILE or postgres://… Default: blossomtune.db in the data directory." env:"BLOSSOMTUNE_DATABASE" secret:"url"`
	Admins    []string `help:"Instance admins: e-mail addresses, or accounts like github:NAME, huggingface:NAME, huggingface-org:NAME." env:"BLOSSOMTUNE_ADMINS"`

	BehindProxy bool   `help:"A reverse proxy in front terminates TLS: accept plain HTTP from anywhere and believe X-Forwarded-For." env:"BLOSSOMTUNE_BEHIND_PROXY" name:"behind-proxy"`
	TLSCert     string `help:"Certificate chain file (PEM). Default: a certificate of our own CA, made at first start." env:"BLOSSOMTUNE_TLS_CERT" name:"tls-cert" type:"path"`
	TLSKey      string `help:"Private key file (PEM) of --tls-cert." env:"BLOSSOMTUNE_TLS_KEY" name:"tls-key" type:"path"`

	Apps        []string      `help:"Folders searched for Flower Apps, in addition to the bundled ones." env:"BLOSSOMTUNE_APPS" type:"path"`
	Python      string        `help:"Python 3.11 or newer for the engine's environment. Default: the newest found on PATH." env:"BLOSSOMTUNE_PYTHON"`
	Downloads   string        `help:"Folder of the programs that participants download from this server, as make dist fills it. Default: downloads beside this program. Its own program is always there." env:"BLOSSOMTUNE_DOWNLOADS" type:"path"`
	StopEngines bool          `help:"Stop all engines when the server stops; without it they go on and are taken back at the next start." env:"BLOSSOMTUNE_STOP_ENGINE" name:"stop-engine"`
	StopWait    time.Duration `help:"How long stopping may take before open connections are cut." default:"10s" env:"BLOSSOMTUNE_STOP_WAIT" name:"stop-wait"`

	Engine string `help:"SuperLink of federations that have not chosen one: builtin (part of this program) or flower (Flower's own process). A federation switches when it has no active runs." default:"builtin" enum:"builtin,flower" env:"BLOSSOMTUNE_ENGINE"`

	RunLogMB int64 `help:"Most megabytes that are kept of a run's log; of a longer one its begin, the lines of Flower's logger and its end." default:"256" env:"BLOSSOMTUNE_RUN_LOG_MB" name:"run-log-mb"`

	RunDiskMB int64 `help:"Most megabytes of disk that a run's ServerApp may take on this server; one that takes more is ended. 0: no limit." default:"50000" env:"BLOSSOMTUNE_RUN_DISK_MB" name:"run-disk-mb"`

	AppUIDs string `help:"User IDs that ServerApps run under when the server runs as root, FIRST-LAST: each federation has one of its own. off: they run as the server's user." default:"60706-61182" env:"BLOSSOMTUNE_APP_UIDS" name:"app-uids"`

	Mail Mail `embed:"" prefix:"smtp-" envprefix:"BLOSSOMTUNE_SMTP_"`

	Mailjet Mailjet `embed:"" prefix:"mailjet-" envprefix:"BLOSSOMTUNE_MAILJET_"`

	SignIn SignIn `embed:"" envprefix:"BLOSSOMTUNE_"`

	Backup Backup `embed:"" prefix:"backup-" envprefix:"BLOSSOMTUNE_BACKUP_"`

	SiteName  string `help:"Name shown in pages and mails; admins cannot change it then. Default: BlossomTune, or what they have set." env:"BLOSSOMTUNE_SITE_NAME" name:"site-name"`
	LogLevel  string `help:"Least level that is logged." default:"info" enum:"debug,info,warn,error" env:"BLOSSOMTUNE_LOG_LEVEL" name:"log-level"`
	LogFormat string `help:"Form of log lines." default:"text" enum:"text,json" env:"BLOSSOMTUNE_LOG_FORMAT" name:"log-format"`

	Site    map[string]site.Given `kong:"-"` // the texts of the file's [site], checked
	Origins map[string]string     `kong:"-"` // where in the file a setting comes from, by flag
	UIDs    domain.UIDRange       `kong:"-"` // AppUIDs, checked
}

// DefaultStopWait is the default of --stop-wait.
const DefaultStopWait = 10 * time.Second

// Mail is how e-mail goes out. Without a host, mails stay in the outbox, which an admin can open.
type Mail struct {
	Host     string `help:"SMTP server; empty keeps mails in the outbox." env:"HOST"`
	Port     int    `help:"Its port; 0 takes the usual one of --smtp-tls." env:"PORT"`
	User     string `help:"User name for SMTP authentication." env:"USER"`
	Password string `help:"Password; better given by the environment than on the command line." env:"PASSWORD" secret:"all"`
	From     string `help:"Sender address." env:"FROM"`
	TLS      string `help:"starttls (verified), tls, or none (only to this machine)." default:"starttls" enum:"starttls,tls,none" env:"TLS"`
}

// Mailjet sends mail by its HTTP API where SMTP is not allowed out; it goes before SMTP. The sender is that of SMTP.
type Mailjet struct {
	Key    string `help:"API key of Mailjet; mails go out by its HTTP API then." env:"KEY"`
	Secret string `help:"Its secret; better given by the environment than on the command line." env:"SECRET" secret:"all"`
	URL    string `help:"Address of Mailjet's API." default:"https://api.mailjet.com" env:"URL" name:"url"`
}

// Backup is how backups are encrypted unless the command says otherwise.
type Backup struct {
	Recipient      []string `help:"Encrypt backups for these age recipients (age1…). blossomtune backup key makes one." env:"RECIPIENT"`
	PassphraseFile string   `help:"Encrypt backups with the passphrase in this file." env:"PASSPHRASE_FILE" name:"passphrase-file" type:"path"`
	Clear          bool     `help:"Do not encrypt backups that the server makes. They hold its keys and personal data." env:"CLEAR"`
	Daily          string   `help:"Time of day (UTC, like 03:00) at which the server backs itself up every day. Empty: never." env:"DAILY"`
	Folder         string   `help:"Folder for these backups. Default: backups in the data directory. Another disk or machine is safer." env:"FOLDER" type:"path"`
	KeepDaily      int      `help:"Of how many days the newest of these backups is kept." default:"7" env:"KEEP_DAILY" name:"keep-daily"`
	KeepWeekly     int      `help:"Of how many weeks the newest of these backups is kept." default:"4" env:"KEEP_WEEKLY" name:"keep-weekly"`
	SkipUpgrade    bool     `help:"Migrate the database of an earlier version without a backup before it. An upgrade cannot be rolled back then." env:"SKIP_UPGRADE" name:"skip-upgrade"`
}

// Resolve checks the settings and fills those that follow from others. Its errors name the setting and where it comes from.
func (c *Config) Resolve() error { return c.located(c.resolve()) }

func (c *Config) resolve() error {
	data, err := filepath.Abs(c.Data)
	if err != nil {
		return wrong("data", "%q is no directory.", c.Data).Because(err)
	}
	c.Data = data
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return wrong("listen", "%q is not ADDRESS:PORT.", c.Listen).Fix("Write it like 0.0.0.0:8443.").Because(err)
	}
	if err := c.checkPairs(); err != nil {
		return err
	}
	if err := c.checkBackup(); err != nil {
		return err
	}
	if err := c.takeSiteName(); err != nil {
		return err
	}
	c.Engine = cmp.Or(c.Engine, "builtin")
	if c.RunLogMB == 0 {
		c.RunLogMB = 256
	}
	if c.RunLogMB < 1 || c.RunLogMB > 100_000 {
		return fmt.Errorf("--run-log-mb is 1 to 100000, not %d", c.RunLogMB)
	}
	if c.RunDiskMB < 0 {
		return wrong("run-disk-mb", "It is %d.", c.RunDiskMB).Fix("Give megabytes, or 0 for no limit.")
	}
	if c.UIDs, err = domain.ParseUIDRange(cmp.Or(c.AppUIDs, domain.DefaultAppUIDs)); err != nil {
		return at(err, "app-uids")
	}
	if c.Database = strings.Trim(c.Database, " \"'\u00a0\ufeff\u200b\r\n\t"); c.Database == "" {
		c.Database = "sqlite:" + filepath.Join(c.Data, "blossomtune.db")
	}
	if c.PublicURL == "" && port != "0" {
		c.PublicURL = DefaultPublicURL(host, port)
	}
	if err := CheckDatabase(c.Database); err != nil {
		return err
	}
	return c.checkPublicURL()
}

func at(err error, flag string) error {
	var e *domain.Error
	if errors.As(err, &e) {
		return e.At(flag)
	}
	return err
}

func wrong(flag, format string, args ...any) *domain.Error {
	return domain.Errorf(domain.Invalid, format, args...).At(flag)
}

// checkPairs refuses settings without those that they need.
func (c *Config) checkPairs() error {
	switch s := c.SignIn; {
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return wrong("tls-cert", "It and --tls-key go together.").Fix("Give both, or neither: then a certificate is made.")
	case (c.Mail.Host != "" || c.Mailjet.Key != "") && c.Mail.From == "":
		return wrong("smtp-from", "The sender's address is missing.").Fix("It is needed with --smtp-host or --mailjet-key.")
	case (c.Mailjet.Key == "") != (c.Mailjet.Secret == ""):
		return wrong("mailjet-key", "It and --mailjet-secret go together.").Fix("Give both.")
	case s.MicrosoftClientID != "" && s.MicrosoftTenant == "":
		return wrong("microsoft-tenant", "The tenant is missing.").
			Fix("It is needed with --microsoft-client-id: without it anybody with a Microsoft account could sign in.")
	case (s.OIDCIssuer == "") != (s.OIDCClientID == ""):
		return wrong("oidc-issuer", "It and --oidc-client-id go together.").Fix("Give both.")
	}
	return nil
}

// takeSiteName puts the name that a flag, the environment or the file gives among the site's texts.
func (c *Config) takeSiteName() error {
	if c.SiteName == "" {
		return nil
	}
	name, err := site.Check(site.KeyName, c.SiteName)
	if err != nil {
		return at(err, "site-name")
	}
	if c.Site == nil {
		c.Site = map[string]site.Given{}
	}
	c.Site[site.KeyName] = site.Given{Value: name, From: cmp.Or(c.Origins["site-name"], "BLOSSOMTUNE_SITE_NAME or --site-name")}
	return nil
}

// DefaultPublicURL is the address of a server without --public-url: plain HTTP on this machine, where a browser needs no certificate.
func DefaultPublicURL(host, port string) string {
	ip := net.ParseIP(host)
	if host == "" || ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		return "http://localhost:" + port
	}
	return "https://" + net.JoinHostPort(host, port)
}

// Setting is one effective setting, ready to be shown.
type Setting struct {
	Env   string
	Value string
	Help  string
	From  string // where in the configuration file it was set; "" elsewhere
}

// Settings lists the effective settings with secrets masked, in the order of the struct.
func (c Config) Settings() []Setting {
	out := settings(reflect.ValueOf(c), "")
	for i, f := range c.flags() {
		out[i].From = c.Origins[f.name]
	}
	return out
}

func settings(v reflect.Value, prefix string) []Setting {
	var out []Setting
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Tag.Get("kong") == "-" {
			continue
		}
		if f.Type.Kind() == reflect.Struct {
			out = append(out, settings(v.Field(i), f.Tag.Get("envprefix"))...)
			continue
		}
		out = append(out, Setting{Env: prefix + f.Tag.Get("env"), Value: shown(v.Field(i), f.Tag.Get("secret")), Help: f.Tag.Get("help")})
	}
	return out
}

func shown(v reflect.Value, secret string) string {
	text := fmt.Sprint(v.Interface())
	if list, ok := v.Interface().([]string); ok {
		text = strings.Join(list, ",")
	}
	switch {
	case text == "" || secret == "":
		return text
	case secret == "url":
		return redacted(text)
	}
	return "********"
}
