package server

import (
	"context"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"blossomtune/internal/appuser"
	"blossomtune/internal/backup"
	"blossomtune/internal/datadir"
	"blossomtune/internal/domain"
	"blossomtune/internal/events"
	"blossomtune/internal/filelock"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/keeper/contain"
	"blossomtune/internal/nodes"
	"blossomtune/internal/notify"
	"blossomtune/internal/portmux"
	"blossomtune/internal/program"
	"blossomtune/internal/receipt"
	"blossomtune/internal/safely"
	branding "blossomtune/internal/site"
	"blossomtune/internal/store"
	"blossomtune/internal/sysinfo"
	"blossomtune/internal/tlsca"
)

// base is what all other parts are made of.
type base struct {
	o        Options
	started  time.Time
	lock     *filelock.Lock // of the data directory
	DB       *store.DB
	Jobs     *safely.Jobs
	Events   *events.Bus
	Site     *branding.Service
	url      *publicURL
	tls      *tlsca.Authority
	receipts *receipt.Signer
	sealer   *notify.Sealer
	python   *python.Shared
	programs *program.Shelf
	users    *appuser.Users
	signal   *nodes.Signal
	noise    *portmux.Noise
	links    *links
}

// newBase takes the data directory and opens what is in it. What it has taken when it fails is in c.
func newBase(ctx context.Context, o Options, c *cleanups) (b base, err error) {
	conf := o.Config
	b = base{o: o, started: o.Clock().UTC(), url: newPublicURL(conf.PublicURL), links: &links{}, Events: events.NewBus(),
		signal: nodes.NewSignal(), noise: &portmux.Noise{Log: o.Log}, python: newPython(o),
		programs: program.New(program.Options{Dir: conf.Downloads, Version: o.Version, Log: o.Log})}
	b.users = &appuser.Users{Range: conf.UIDs, Data: conf.Data, Python: b.python.Made, Log: o.Log}
	if err := backup.CheckSettings(conf.Backup); err != nil {
		return b, err
	}
	if err := os.MkdirAll(conf.Data, 0o700); err != nil {
		return b, domain.Errorf(domain.Invalid, "The data directory %s cannot be made.",
			conf.Data).Fix("Name another one with --data.").Because(err)
	}
	if b.lock, err = datadir.Own(ctx, conf.Data, o.Log); err != nil {
		return b, err
	}
	c.add("data directory", func(context.Context) error { return b.lock.Release() })
	if b.DB, err = datadir.OwnDatabase(ctx, conf.Data, conf.Database, o.Log, o.migrate); err != nil {
		return b, err
	}
	c.add("database", func(context.Context) error { return b.DB.Close() })
	b.Jobs = safely.NewJobs(ctx, o.Log)
	c.add("jobs", func(context.Context) error { b.Jobs.End(); b.Jobs.Wait(); return nil })
	b.Site = branding.New(branding.Options{Store: store.Adapt[branding.Tx](b.DB), Clock: o.Clock, Given: conf.Site})
	if err = b.Site.Load(ctx); err != nil {
		return b, err
	}
	if b.tls, err = openTLS(o); err != nil {
		return b, err
	}
	if b.sealer, err = notify.OpenSealer(filepath.Join(conf.Data, "notify")); err != nil {
		return b, err
	}
	b.receipts, err = receipt.OpenSigner(filepath.Join(conf.Data, "receipt"))
	return b, err
}

func openTLS(o Options) (*tlsca.Authority, error) {
	c := o.Config
	var hosts []string
	if u, err := url.Parse(c.PublicURL); err == nil && u.Hostname() != "" {
		hosts = append(hosts, u.Hostname())
	}
	if host, _, err := net.SplitHostPort(c.Listen); err == nil && host != "" {
		if ip := net.ParseIP(host); ip == nil || !ip.IsUnspecified() {
			hosts = append(hosts, host)
		}
	}
	return tlsca.Open(tlsca.Options{Dir: filepath.Join(c.Data, "tls"), Hosts: hosts, CertFile: c.TLSCert, KeyFile: c.TLSKey,
		Public: c.BehindProxy && strings.HasPrefix(c.PublicURL, "https:"), Clock: o.Clock})
}

// contained is how ServerApps are contained on this machine.
func (b *base) contained() domain.Containment {
	if b.o.Contained != nil {
		return b.o.Contained()
	}
	return domain.Containment(contain.Check().Level())
}

// disk returns why the data directory has no room for a run.
func (b *base) disk() error { return sysinfo.Space(b.o.Config.Data) }

// writable returns why the server could not keep what a run writes, as a [domain.Unavailable] error: its database takes no writes, or
// its disk is full.
func (b *base) writable(ctx context.Context) error {
	if err := b.disk(); err != nil {
		return err
	}
	return b.DB.Ready(ctx)
}

// publicURL is the server's address for browsers and participants. Without one in the configuration it is known once the server listens.
type publicURL struct{ text atomic.Pointer[string] }

func newPublicURL(text string) *publicURL {
	u := &publicURL{}
	u.set(text)
	return u
}

func (u *publicURL) get() string     { return *u.text.Load() }
func (u *publicURL) set(text string) { u.text.Store(&text) }
