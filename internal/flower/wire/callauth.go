package wire

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"
)

// The headers with which an agent signs a call of the server's API. A Flower signature covers only its time, so whoever captures one
// could use it for another call; this one covers the whole call.
const (
	HeaderCallKey       = "Blossomtune-Key"
	HeaderCallTime      = "Blossomtune-Time"
	HeaderCallSignature = "Blossomtune-Signature"
)

// callText is what is signed. Its first line keeps it apart from everything else that a SuperNode's key signs.
func callText(method, target, at string, body [sha256.Size]byte) [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "blossomtune-call-1\n%s\n%s\n%s\n%s\n", method, target, at, hex.EncodeToString(body[:])))
}

// SignCall signs one API call. target is the path with the query, as [net/url.URL.RequestURI] gives it. No two calls may have the
// same time: the server accepts each time once.
func SignCall(key *ecdsa.PrivateKey, method, target string, body []byte, at time.Time) (http.Header, error) {
	public, err := PublicPEM(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	text := at.UTC().Format("2006-01-02T15:04:05.000000-07:00")
	sum := callText(method, target, text, sha256.Sum256(body))
	signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		return nil, err
	}
	h := http.Header{}
	h.Set(HeaderCallKey, base64.StdEncoding.EncodeToString(public))
	h.Set(HeaderCallTime, text)
	h.Set(HeaderCallSignature, base64.StdEncoding.EncodeToString(signature))
	return h, nil
}

// VerifyCall checks the headers of an API call against what was called: body is the SHA-256 of its body. As with [VerifyHeaders],
// whether the key is enrolled, and whether its time was used before, is for the caller.
func VerifyCall(h http.Header, method, target string, body [sha256.Size]byte, now time.Time) (NodeAuth, error) {
	c, err := readClaim(h, callHeaders, now, func(at string) [sha256.Size]byte { return callText(method, target, at, body) })
	if err != nil {
		return NodeAuth{}, err
	}
	return c.verify()
}

var callHeaders = canonical(HeaderCallKey, HeaderCallTime, HeaderCallSignature)
