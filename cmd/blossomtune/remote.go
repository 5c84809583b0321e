//go:build !participant

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"blossomtune/internal/agent"
	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

// remoteFlags say which server a command calls. The token is that of blossomtune login, or BLOSSOMTUNE_TOKEN; it is never a flag.
type remoteFlags struct {
	Server string `help:"Address of the server. Default: the one that you logged in to last." env:"BLOSSOMTUNE_SERVER" placeholder:"URL"`
	Pin    string `help:"SHA-256 of the server's own CA, where you have not logged in." env:"BLOSSOMTUNE_PIN" placeholder:"SHA256"`
	Output string `help:"table for people, json for scripts." enum:"table,json" default:"table" short:"o"`
}

// apiCommand marks commands whose errors have the exit codes above.
func (remoteFlags) apiCommand() {}

// remote is a server as a command calls it.
type remote struct {
	terminal
	client.Client
	asJSON bool
}

// open finds the server, its CA and the token.
func (f remoteFlags) open(ctx context.Context, t *terminal) (*remote, error) {
	known, err := readLogins()
	if err != nil {
		return nil, err
	}
	l := known.find(f.Server)
	if token := os.Getenv("BLOSSOMTUNE_TOKEN"); token != "" {
		l.Token = token
	}
	switch {
	case l.Server == "":
		return nil, domain.Errorf(domain.Unauthenticated,
			"No server is known.").Fix("Run blossomtune login URL, or set BLOSSOMTUNE_SERVER and BLOSSOMTUNE_TOKEN.")
	case l.CAPEM == "" && f.Pin != "":
		if l.CAPEM, err = pinnedCA(ctx, l.Server, f.Pin); err != nil {
			return nil, err
		}
	}
	hc, err := httpClient(l.CAPEM)
	return &remote{*t, client.Client{Server: l.Server, Token: l.Token, HTTP: hc, Agent: "blossomtune/" + versionOf()}, f.Output == "json"}, err
}

// pinnedCA returns the CA of a server, if it has the pin.
func pinnedCA(ctx context.Context, server, pin string) (string, error) {
	seen, ca, err := agent.CAOf(ctx, server)
	if err == nil && !strings.EqualFold(seen, strings.TrimSpace(pin)) {
		err = domain.Errorf(domain.Forbidden, "The CA of %s has the SHA-256 %s, not the given one.", server,
			seen).Fix("Nothing was sent. Check the address and the pin.")
	}
	return string(ca), err
}

func httpClient(caPEM string) (*http.Client, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if caPEM != "" {
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM([]byte(caPEM)) {
			return nil, domain.Errorf(domain.Invalid, "The stored CA certificate cannot be read.").Fix("Run blossomtune login again.")
		}
	}
	return &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: conf, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 2 * time.Minute}}, nil
}

// do calls an operation. See [client.Client.Do].
func (r *remote) do(ctx context.Context, method, path string, in, out any) error {
	return r.reached(r.Do(ctx, method, path, in, out))
}

// create calls an operation with POST.
func (r *remote) create(ctx context.Context, path string, in, out any) error {
	return r.reached(r.Do(ctx, http.MethodPost, path, in, out))
}

// reached puts words to a server that did not answer.
func (r *remote) reached(err error) error {
	u, ok := errors.AsType[*client.Unreached](err)
	if !ok {
		return err
	}
	var unknown x509.UnknownAuthorityError
	if errors.As(u.Err, &unknown) {
		return domain.Errorf(domain.Unavailable, "The certificate of %s is not trusted.",
			r.Server).Fix("Run blossomtune login %s, or give the pin of its CA with --pin.", r.Server)
	}
	return domain.Errorf(domain.Unavailable, "%s does not answer.",
		r.Server).Fix("Check the address and whether the server is running.").Because(u.Err)
}

// show prints an answer: as JSON for scripts, or as text for people.
func (r *remote) show(v any, text func(w io.Writer)) error {
	if r.asJSON {
		e := json.NewEncoder(r.Out)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	text(r.Out)
	return nil
}

// done says what was done; scripts get the answer, or nothing.
func (r *remote) done(v any, format string, args ...any) error {
	if r.asJSON && v == nil {
		return nil
	}
	return r.show(v, func(w io.Writer) { fmt.Fprintf(w, format+"\n", printables(args)...) })
}

func printables(args []any) []any {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = plain(s)
		}
	}
	return args
}

// plain makes a text safe for the terminal: what could change it is written by number.
func plain(s string) string {
	var out strings.Builder
	for _, r := range s {
		if strconv.IsPrint(r) {
			out.WriteRune(r)
		} else {
			out.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return out.String()
}

// table prints rows below a head; every text in them is made safe for the terminal.
func table(w io.Writer, head string, rows [][]any) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.ReplaceAll(head, " ", "\t"))
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, c := range row {
			cells[i] = cell(c)
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	_ = t.Flush() // its writer keeps the error
}

// cell writes a value of a table; what is not known is a dash.
func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case *time.Time:
		if v == nil {
			return "-"
		}
		return v.Local().Format(time.DateTime)
	case time.Time:
		return v.Local().Format(time.DateTime)
	case *int:
		if v == nil {
			return "-"
		}
		return fmt.Sprint(*v)
	case bool:
		return map[bool]string{true: "yes", false: "no"}[v]
	case string:
		if v == "" {
			return "-"
		}
		return plain(v)
	}
	return fmt.Sprint(v)
}

// facts prints names with their values.
func facts(w io.Writer, pairs ...any) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i := 0; i+1 < len(pairs); i += 2 {
		if c := cell(pairs[i+1]); c != "-" {
			fmt.Fprintf(t, "%s\t%s\n", pairs[i], c)
		}
	}
	_ = t.Flush() // its writer keeps the error
}

// call calls an operation and prints its answer.
func call[T any](ctx context.Context, t *terminal, f remoteFlags, method, path string, in any, text func(io.Writer, T)) error {
	r, err := f.open(ctx, t)
	if err != nil {
		return err
	}
	var out T
	if method == http.MethodPost {
		err = r.create(ctx, path, in, &out)
	} else {
		err = r.do(ctx, method, path, in, &out)
	}
	if err != nil {
		return err
	}
	return r.show(out, func(w io.Writer) { text(w, out) })
}

// act calls an operation that has no answer, and says what it did.
func act(ctx context.Context, t *terminal, f remoteFlags, method, path string, in any, format string, args ...any) error {
	r, err := f.open(ctx, t)
	if err == nil {
		err = r.do(ctx, method, path, in, nil)
	}
	if err != nil {
		return err
	}
	return r.done(nil, format, args...)
}
