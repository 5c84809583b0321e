//go:build !participant

package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"blossomtune/internal/account"
	"blossomtune/internal/config"
	"blossomtune/internal/datadir"
	"blossomtune/internal/domain"
	"blossomtune/internal/store"

	"github.com/alecthomas/kong"
)

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"On the server's host: print a new admin's API token. It is shown only here."`
	New    tokenNewCmd    `cmd:"" op:"create-token" help:"Print a new API token of your own. It is shown only here."`
	List   tokenListCmd   `cmd:"" op:"list-tokens" help:"List your API tokens."`
	Revoke tokenRevokeCmd `cmd:"" op:"revoke-token" help:"Revoke one of your API tokens."`
}

type tokenCreateCmd struct {
	Role  string        `help:"What the token may do." enum:"admin" default:"admin"`
	Scope string        `help:"all, or read to change nothing." enum:"all,read" default:"all"`
	Name  string        `help:"What it is for, shown in the audit." default:"made on the host"`
	Life  time.Duration `help:"How long it works." default:"2160h"`
	onHostFlags
}

// Run prints an API token.
func (c *tokenCreateCmd) Run(ctx context.Context, k *kong.Context) error {
	set, err := c.settle(k, "")
	if err != nil {
		return err
	}
	return onHost(ctx, set, func(s *account.Service, p domain.Person) error {
		token, _, err := s.CreateToken(ctx, domain.System, p.ID, c.Name, domain.TokenScope(c.Scope), c.Life)
		if err == nil {
			fmt.Println(token)
		}
		return err
	})
}

type linkCmd struct {
	PublicURL string `help:"Address of the server. Default: the one that it was last started with." env:"BLOSSOMTUNE_PUBLIC_URL" name:"public-url"`
	onHostFlags
}

// Run prints a sign-in link.
func (c *linkCmd) Run(ctx context.Context, k *kong.Context) error {
	set, err := c.settle(k, c.PublicURL)
	if err == nil && set.PublicURL == "" {
		set.PublicURL, err = datadir.PublicURL(set.Data)
	}
	if err != nil {
		return err
	}
	return onHost(ctx, set, func(s *account.Service, p domain.Person) error {
		secret, err := s.NewSignInLink(ctx, p.ID)
		if err == nil {
			fmt.Println(strings.TrimRight(set.PublicURL, "/") + "/signin/" + secret)
		}
		return err
	})
}

// onHostFlags say where the server's data is, for commands on its host. They find it as the server does.
type onHostFlags struct {
	File     string `help:"Configuration file of the server (TOML)." env:"BLOSSOMTUNE_CONFIG" name:"config" type:"path"`
	Data     string `help:"The server's data directory." default:"blossomtune-data" env:"BLOSSOMTUNE_DATA" type:"path"`
	Database string `help:"Database address." env:"BLOSSOMTUNE_DATABASE"`
}

// settle takes from the configuration file what neither a flag nor the environment gives.
func (f onHostFlags) settle(k *kong.Context, publicURL string) (config.Config, error) {
	c := config.Config{File: f.File, Data: f.Data, Database: f.Database, PublicURL: publicURL}
	return c, c.LoadFile(givenTo(k))
}

// onHost works as the host's admin, straight on the database: whoever can do that needs no other right.
func onHost(ctx context.Context, set config.Config, do func(*account.Service, domain.Person) error) error {
	data, address, err := databaseOf(set.Data, set.Database)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	db, err := datadir.OpenDatabase(ctx, data, address)
	if err != nil {
		return err
	}
	defer db.Close()
	s := account.New(account.Options{Store: store.Adapt[account.Tx](db), Clock: time.Now})
	p, err := s.HostAdmin(ctx)
	if err != nil {
		return err
	}
	return do(s, p)
}
