package wire

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"testing"
	"time"
)

// FuzzSignatureHeaders looks for headers that pass without the key's signature, or end the process.
func FuzzSignatureHeaders(f *testing.F) {
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{7}, 32)) // the same in every process of a fuzz run
	if err != nil {
		f.Fatal(err)
	}
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	body := []byte("body")
	good, err := SignCall(key, "POST", "/x", body, now)
	if err != nil {
		f.Fatal(err)
	}
	flower, err := SignHeaders(key, now.Add(time.Second))
	if err != nil {
		f.Fatal(err)
	}
	public := good.Get(HeaderCallKey)
	f.Add(public, good.Get(HeaderCallTime), good.Get(HeaderCallSignature))
	f.Add(public, flower.Get(HeaderTimestamp), flower.Get(HeaderSignature))
	f.Add(public, "2026-11-28T12:00:00Z", "")
	f.Add("", "2026-11-28T12:00:00.000001+00:00", "AA==")
	f.Fuzz(func(t *testing.T, k, at, signature string) {
		h := http.Header{HeaderCallKey: {k}, HeaderCallTime: {at}, HeaderCallSignature: {signature}}
		if _, err := VerifyCall(h, "POST", "/x", sha256.Sum256(body), now); err == nil && k == public && at != good.Get(HeaderCallTime) {
			t.Errorf("a call that was never signed passes: %q", h)
		}
		h = http.Header{http.CanonicalHeaderKey(HeaderPublicKey): {k}, http.CanonicalHeaderKey(HeaderTimestamp): {at}, http.CanonicalHeaderKey(HeaderSignature): {signature}}
		if _, err := VerifyHeaders(h, now); err == nil && k == public && at != flower.Get(HeaderTimestamp) {
			t.Errorf("a request that was never signed passes: %q", h)
		}
	})
}

// A signature over a call is none over a time, and the other way round.
func TestSignaturesOfCallsAndTimesDiffer(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	call, err := SignCall(key, "GET", "/x", nil, now)
	if err != nil {
		t.Fatal(err)
	}
	flower, err := SignHeaders(key, now)
	if err != nil {
		t.Fatal(err)
	}
	as := func(from http.Header, names, to [3]string) http.Header {
		h := http.Header{}
		for i := range names {
			h.Set(to[i], from.Get(names[i]))
		}
		return h
	}
	calls, times := [3]string{HeaderCallKey, HeaderCallTime, HeaderCallSignature}, [3]string{HeaderPublicKey, HeaderTimestamp, HeaderSignature}
	if _, err := VerifyCall(call, "GET", "/x", sha256.Sum256(nil), now); err != nil {
		t.Error(err)
	}
	if _, err := VerifyHeaders(as(call, calls, times), now); err == nil {
		t.Error("the signature of a call passes for one of a time")
	}
	if _, err := VerifyCall(as(flower, times, calls), "GET", "/x", sha256.Sum256(nil), now); err == nil {
		t.Error("the signature of a time passes for one of a call")
	}
}
