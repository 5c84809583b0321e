package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"blossomtune/internal/flower/wire"

	"google.golang.org/protobuf/encoding/protowire"
)

// localProxy is what the SuperNode takes for its SuperLink: it listens on this machine's loopback, knows the SuperNode by its local
// key, and gives its Fleet requests on to the server, signed with the enrolled key and the server's own time. So the enrolled key
// is read by the agent alone, a wrong clock does no harm, the way goes through the proxy of an organisation where there is one,
// and a server that is away or has a new CA is nothing that Flower must know.
type localProxy struct {
	superLink string                      // host:port, at the server
	transport func() http.RoundTripper    // to it
	sign      func() (http.Header, error) // with the enrolled key
	publicPEM []byte                      // of the enrolled key
	local     local
	onMessage func() // a message was confirmed: a ClientApp is wanted
}

const (
	fleetPrefix  = "/v1/fleet/"
	activatePath = "/v1/fleet/activate-node"
	confirmPath  = "/v1/fleet/confirm-message-received"
	maxActivate  = 64 << 10
)

func (p *localProxy) handler() http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite:        p.rewrite,
		Transport:      chosenTransport{p},
		ModifyResponse: p.answered,
		ErrorHandler:   func(w http.ResponseWriter, _ *http.Request, _ error) { wait(w, "The server is not reached now.") },
		FlushInterval:  -1,
		ErrorLog:       log.New(io.Discard, "", 0), // the SuperNode's own log says that it waits
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		auth, err := wire.VerifyHeaders(r.Header, time.Now()) // both have this machine's clock
		switch {
		case r.Method != http.MethodPost || !strings.HasPrefix(r.URL.Path, fleetPrefix):
			http.NotFound(w, r)
			return
		case err != nil || auth.Fingerprint != p.local.fingerprint:
			http.Error(w, "This is another user's SuperNode.", http.StatusForbidden)
			return
		}
		if r.URL.Path == activatePath {
			if err := p.replaceKey(r); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
		}
		proxy.ServeHTTP(w, r)
	})
}

// chosenTransport uses the connections of the moment: they change with the server's CA.
type chosenTransport struct{ p *localProxy }

// RoundTrip implements http.RoundTripper.
func (c chosenTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	return c.p.transport().RoundTrip(r)
}

func (p *localProxy) rewrite(r *httputil.ProxyRequest) {
	r.Out.URL = &url.URL{Scheme: "https", Host: p.superLink, Path: r.In.URL.Path}
	r.Out.Host = p.superLink
	head, err := p.sign()
	if err != nil { // then the server refuses it, and the SuperNode says so
		head = http.Header{}
	}
	for _, name := range []string{wire.HeaderPublicKey, wire.HeaderTimestamp, wire.HeaderSignature} {
		r.Out.Header.Del(name)
		if v := head.Get(name); v != "" {
			r.Out.Header.Set(name, v)
		}
	}
}

// answered looks at the server's answer before the SuperNode gets it. One that ends a SuperNode for ever is not passed on when the
// clock was to blame: the next try is signed with the right time.
func (p *localProxy) answered(res *http.Response) error {
	if res.StatusCode == http.StatusUnauthorized && res.Header.Get(clockMoved) != "" {
		return errors.New("the request was signed with a wrong time")
	}
	if res.StatusCode < 300 && res.Request.URL.Path == confirmPath {
		p.onMessage()
	}
	return nil
}

// wait makes the SuperNode try again, for ever.
func wait(w http.ResponseWriter, why string) {
	text, _ := json.Marshal(map[string]string{"detail": why}) // strings always encode
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Retry-After", "3")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = w.Write(text)
}

// replaceKey puts the enrolled key into a request that names the local one: ActivateNodeRequest, field 1.
func (p *localProxy) replaceKey(r *http.Request) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxActivate+1))
	if err != nil || len(body) > maxActivate {
		return fmt.Errorf("the body is not whole or too long")
	}
	out := make([]byte, 0, len(body)+len(p.publicPEM))
	for rest := body; len(rest) > 0; {
		num, typ, n := protowire.ConsumeTag(rest)
		if n < 0 {
			return protowire.ParseError(n)
		}
		v := protowire.ConsumeFieldValue(num, typ, rest[n:])
		if v < 0 {
			return protowire.ParseError(v)
		}
		if num == 1 {
			out = protowire.AppendBytes(protowire.AppendTag(out, 1, protowire.BytesType), p.publicPEM)
		} else {
			out = append(out, rest[:n+v]...)
		}
		rest = rest[n+v:]
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(out)), int64(len(out))
	return nil
}
