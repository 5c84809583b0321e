package agent

import (
	"encoding/hex"
	"net"
	"net/url"
	"strings"

	"blossomtune/internal/domain"
)

// token is a join token, <pin>.<id>.<secret>. Its text is a secret: it goes to the server once and nowhere else.
type token struct {
	pin    string // hex SHA-256 of the server's CA certificate, or "public"
	public string // the id part, no secret
	text   string
}

const publicPin = "public"

// String keeps the secret out of logs and messages.
func (t token) String() string { return t.public }

// GoString keeps the secret out of %#v.
func (t token) GoString() string { return t.public }

// pasted takes away what gets around a text that is copied from a page, a mail or a chat: marks, invisible characters, quotes.
func pasted(s string) string { return strings.Trim(domain.Line(s), " <>\"'`‘’“”,;") }

func parseToken(s string) (token, error) {
	bad := domain.Errorf(domain.Invalid, "This is not a join token.").
		Fix("Copy the whole command from your status page: the token has three parts with dots between them.").At("token")
	s = pasted(s)
	parts := strings.Split(s, ".")
	if len(parts) != 3 || parts[1] == "" || parts[2] == "" || len(s) > 512 {
		return token{}, bad
	}
	for _, c := range parts[1] {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", c) {
			return token{}, bad
		}
	}
	if raw, err := hex.DecodeString(parts[0]); parts[0] != publicPin && (err != nil || len(raw) != 32) {
		return token{}, bad
	}
	return token{pin: strings.ToLower(parts[0]), public: parts[1], text: s}, nil
}

// server is where the agent joins.
type server struct {
	base     *url.URL // scheme and host only; https unless told otherwise below
	loopback bool
}

// parseServer reads the address to join. Plain HTTP is for this machine only, and even there the agent speaks TLS on the same port
// whenever it has a pin to check it against.
func parseServer(s string, pin string) (server, error) {
	bad := func(msg string) (server, error) {
		return server{}, domain.Errorf(domain.Invalid, "%s", msg).
			Fix("Copy the whole command from your status page; the address is like https://fl.example.org.").At("url")
	}
	u, err := url.Parse(pasted(s))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return bad("This is not the address of a BlossomTune server.")
	}
	if strings.Trim(u.Path, "/") != "" || u.ForceQuery || u.RawQuery != "" || u.Fragment != "" {
		return bad("The address has something after the host and port; a SuperNode cannot use that.")
	}
	host := u.Hostname()
	ip := net.ParseIP(host)
	if ip == nil {
		if host, err = domain.ASCIIHost(host); err != nil {
			return bad("The address has no valid host name.")
		}
		if port := u.Port(); port != "" {
			u.Host = host + ":" + port
		} else {
			u.Host = host
		}
	}
	local := host == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme == "http" {
		if !local {
			return bad("Plain http is not safe across a network.")
		}
		if pin != publicPin {
			u.Scheme = "https"
		}
	}
	return server{base: &url.URL{Scheme: u.Scheme, Host: u.Host}, loopback: local}, nil
}

// name is the server's part of a directory name.
func (s server) name() string {
	return strings.NewReplacer(":", "_", "[", "", "]", "").Replace(strings.ToLower(s.base.Host))
}
