//go:build !participant

package main

import (
	"fmt"
	"path/filepath"
	"time"

	"blossomtune/internal/tlsca"

	"github.com/alecthomas/kong"
)

type caCmd struct {
	Rotate caRotateCmd `cmd:"" help:"Replace the server's own CA. Agents follow by themselves within two weeks; --now ends the wait."`
}

type caRotateCmd struct {
	onHostFlags
	Now bool `help:"Take the new CA into use now. Machines that were away since it was made must get a new token."`
}

// Run tells participants of a new CA, or takes it into use.
func (c *caRotateCmd) Run(k *kong.Context) error {
	set, err := c.settle(k, "")
	if err != nil {
		return err
	}
	at, pin, err := tlsca.Rotate(filepath.Join(set.Data, "tls"), time.Now(), c.Now)
	if err != nil {
		return err
	}
	if c.Now {
		fmt.Printf("The new CA (SHA-256 %s) is in use within seconds.\n", pin)
		return nil
	}
	fmt.Printf("The new CA (SHA-256 %s) is announced to participants from now on, and used from %s.\nAgents switch automatically. "+
		"Participants with plain Flower must download ca.pem again before then.\n", pin, at.UTC().Format("2 January 2006, 15:04 UTC"))
	return nil
}
