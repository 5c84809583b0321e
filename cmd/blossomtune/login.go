//go:build !participant

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"blossomtune/internal/agent"
	"blossomtune/internal/client"
	"blossomtune/internal/domain"

	"github.com/mattn/go-isatty"
	"golang.org/x/term"
)

// login is what this person uses at one server.
type login struct {
	Server string `json:"server"`
	CAPEM  string `json:"ca_pem,omitempty"` // empty where this machine's roots vouch for the server
	Token  string `json:"token"`
}

// logins are the servers that this person has logged in to, the current one first.
type logins []login

// find returns the login of a server, or the current one. A server without a login is returned without a token.
func (all logins) find(server string) login {
	if server == "" {
		if len(all) == 0 {
			return login{}
		}
		return all[0]
	}
	for _, l := range all {
		if l.Server == trimServer(server) {
			return l
		}
	}
	return login{Server: trimServer(server)}
}

// without returns all but one server's.
func (all logins) without(server string) (out logins) {
	for _, l := range all {
		if l.Server != server {
			out = append(out, l)
		}
	}
	return out
}

func trimServer(s string) string { return strings.TrimRight(strings.TrimSpace(s), "/") }

func loginFile() (string, error) {
	dir, err := os.UserConfigDir()
	return filepath.Join(dir, "blossomtune", "login.json"), err
}

func readLogins() (all logins, err error) {
	path, err := loginFile()
	if err != nil {
		return nil, nil //nolint:nilerr // an account without a home has no logins
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		err = domain.Errorf(domain.Invalid, "%s cannot be read.", path).Fix("Remove it and log in again.").Because(err)
	}
	return all, err
}

// write stores logins so that only this user can read them.
func (all logins) write() error {
	path, err := loginFile()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "login-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

type loginCmd struct {
	remoteFlags
	URL string `arg:"" optional:"" help:"Address of the server, like https://fl.example.org."`
}

// Run checks an API token and stores it with the server's address and CA.
func (c *loginCmd) Run(ctx context.Context, t *terminal) error {
	l := login{Server: trimServer(c.URL)}
	if l.Server == "" {
		l.Server = trimServer(c.Server)
	}
	u, err := url.Parse(l.Server)
	if err != nil || u.Host == "" || u.Scheme != "https" && !isLocal(u) {
		return domain.Errorf(domain.Invalid, "%q is not the address of a server.",
			l.Server).Fix("Give it like https://fl.example.org; plain http is for this machine only.")
	}
	if l.CAPEM, err = c.trust(ctx, t, u); err != nil {
		return err
	}
	if l.Token, err = readToken(t); err != nil {
		return err
	}
	hc, err := httpClient(l.CAPEM)
	if err != nil {
		return err
	}
	r := &remote{*t, client.Client{Server: l.Server, Token: l.Token, HTTP: hc}, c.Output == "json"}
	var me client.Me
	if err := r.do(ctx, "GET", "/me", nil, &me); err != nil {
		return err
	}
	known, err := readLogins()
	if err == nil {
		err = append(logins{l}, known.without(l.Server)...).write()
	}
	if err != nil {
		return err
	}
	return r.done(me, "You are logged in to %s as %s.", l.Server, me.Email)
}

func isLocal(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

// trust returns the CA to trust: none where this machine's roots vouch for the server, else the one with the pin, which the person confirms
// where they did not give it.
func (c *loginCmd) trust(ctx context.Context, t *terminal, u *url.URL) (string, error) {
	switch {
	case u.Scheme == "http":
		return "", nil
	case c.Pin != "":
		return pinnedCA(ctx, u.String(), c.Pin)
	}
	pin, ca, err := agent.CAOf(ctx, u.String())
	if err != nil || len(ca) == 0 {
		return "", err
	}
	in, ok := t.In.(*os.File)
	if !ok || !isatty.IsTerminal(in.Fd()) {
		return "", domain.Errorf(domain.Invalid, "%s has a CA of its own, which nothing vouches for yet.",
			u).Fix("Compare its SHA-256 with the server's, then give it: --pin %s", pin)
	}
	fmt.Fprintf(t.Err, "%s has a CA of its own. Its SHA-256 is\n\n    %s\n\nIs this what the server's admin told you? Type yes: ", u, pin)
	line, _ := bufio.NewReader(in).ReadString('\n')
	if strings.TrimSpace(line) != "yes" {
		return "", domain.Errorf(domain.Forbidden, "The CA was not confirmed.").Fix("Nothing was sent or stored.")
	}
	return string(ca), nil
}

// readToken takes an API token from the environment, the terminal or standard input.
func readToken(t *terminal) (string, error) {
	if token := os.Getenv("BLOSSOMTUNE_TOKEN"); token != "" {
		return token, nil
	}
	return readSecret(t, "API token (from your account page, or blossomtune token create on the server): ", 1024)
}

// readSecret reads a line that is not shown, from the terminal or standard input.
func readSecret(t *terminal, prompt string, most int64) (string, error) {
	var text []byte
	var err error
	if in, ok := t.In.(*os.File); ok && isatty.IsTerminal(in.Fd()) {
		fmt.Fprint(t.Err, prompt)
		text, err = term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(t.Err)
	} else {
		text, err = io.ReadAll(io.LimitReader(t.In, most))
	}
	secret := strings.TrimSpace(string(text))
	if err == nil && secret == "" {
		err = domain.Errorf(domain.Invalid, "Nothing was read from standard input.")
	}
	return secret, err
}

type logoutCmd struct {
	URL string `arg:"" optional:"" help:"Address of the server. Default: the one that you logged in to last."`
}

// Run forgets a server. The token itself stays valid until it is revoked.
func (c *logoutCmd) Run(t *terminal) error {
	known, err := readLogins()
	if err != nil {
		return err
	}
	l := known.find(c.URL)
	rest := known.without(l.Server)
	if len(rest) == len(known) {
		return domain.Errorf(domain.NotFound, "You are not logged in there.")
	}
	if err := rest.write(); err != nil {
		return err
	}
	fmt.Fprintf(t.Out, "The login to %s is forgotten. To end its token, revoke it: on your account page, or with blossomtune token revoke.\n",
		l.Server)
	return nil
}

type whoamiCmd struct {
	remoteFlags
}

// Run prints who the token belongs to.
func (c *whoamiCmd) Run(ctx context.Context, t *terminal) error {
	r, err := c.open(ctx, t)
	if err != nil {
		return err
	}
	var me client.Me
	if err := r.do(ctx, "GET", "/me", nil, &me); err != nil {
		return err
	}
	return r.show(me, func(w io.Writer) {
		facts(w, "server", r.Server, "email", me.Email, "name", me.Name, "admin", me.Admin)
	})
}
