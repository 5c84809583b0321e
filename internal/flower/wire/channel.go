package wire

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"sync"
)

// HeaderChannel carries a signature that binds a key to one TLS connection. An agent sends it with the first request on a connection.
const HeaderChannel = "Blossomtune-Channel"

// channelLabel is the label of the exported secret (RFC 5705, RFC 8446 7.5).
const channelLabel = "EXPORTER-blossomtune-channel-1"

// channelText is what binds a key to a connection. Both ends of a TLS connection export the same secret from it, and no two connections
// have the same one: a proxy that ends TLS has one connection with each side, and a signature for one of them is worth nothing on the
// other.
func channelText(s tls.ConnectionState) ([sha256.Size]byte, error) {
	secret, err := s.ExportKeyingMaterial(channelLabel, nil, 32)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return sha256.Sum256(fmt.Appendf(nil, "blossomtune-channel-1\n%s\n", hex.EncodeToString(secret))), nil
}

// SignChannel returns the value of [HeaderChannel] for a connection. It fails where TLS cannot export a secret, as before TLS 1.3 without
// the extended master secret.
func SignChannel(key *ecdsa.PrivateKey, s tls.ConnectionState) (string, error) {
	sum, err := channelText(s)
	if err != nil {
		return "", err
	}
	signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	return base64.StdEncoding.EncodeToString(signature), err
}

// VerifyChannel checks a [HeaderChannel]: the holder of the key is at the other end of the connection.
func (s *Signer) VerifyChannel(conn tls.ConnectionState, text string) error {
	sum, err := channelText(conn)
	if err != nil || len(text) > maxHeader {
		return errNodeAuth
	}
	return s.verify(sum, text)
}

// Channels binds a key to each of a client's connections. Its methods are safe for concurrent use.
type Channels struct {
	key *ecdsa.PrivateKey

	mu    sync.Mutex
	bound [mostChannels]net.Conn // those that were bound last
	next  int
}

// mostChannels is more than a SuperNode has connections; one that is forgotten is bound again.
const mostChannels = 32

// NewChannels returns a Channels that has bound nothing.
func NewChannels(key *ecdsa.PrivateKey) *Channels { return &Channels{key: key} }

// Bind returns r so that an [http.Transport] adds [HeaderChannel] when it sends r as the first request on a TLS connection. r's
// headers must not be used by others meanwhile.
func (c *Channels) Bind(r *http.Request) *http.Request {
	header := r.Header
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		header.Del(HeaderChannel) // of an earlier try on another connection
		conn, ok := info.Conn.(*tls.Conn)
		if !ok || !c.first(conn) {
			return
		}
		if text, err := SignChannel(c.key, conn.ConnectionState()); err == nil { // without it, the server checks each signature
			header.Set(HeaderChannel, text)
		}
	}}
	return r.WithContext(httptrace.WithClientTrace(r.Context(), trace))
}

// first reports whether a connection was not bound yet. [httptrace.GotConnInfo] does not tell: it calls one that waited unused reused.
func (c *Channels) first(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.Contains(c.bound[:], conn) {
		return false
	}
	c.bound[c.next] = conn
	c.next = (c.next + 1) % mostChannels
	return true
}
