package fleet

import (
	"encoding/base64"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire"
)

// SuperNodes before flwr 1.40 speak gRPC, and put binary metadata under other names than today's headers (flwr 1.39).
const (
	oldPublicKey = "flwr-public-key-bin"
	oldSignature = "flwr-signature-bin"
	// failedPrecondition is a gRPC status that a SuperNode gives up at. It tries again for ever after some of the others.
	failedPrecondition = 9
	// oldBody bounds what is read of a request that is not served.
	oldBody = 64 << 10
)

// ServeGRPC answers SuperNodes of flwr before 1.40, which cannot take part: their log then says which flwr to install, and they end.
// The version of an enrolled key is kept, so that pages say the same. Anything that is no gRPC call gets 404.
func (g *Gateway) ServeGRPC(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor < 2 || r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		http.NotFound(w, r)
		return
	}
	version := r.Header.Get(headerVersion)
	if !versionPattern.MatchString(version) {
		version = ""
	}
	if version != "" {
		g.noteOld(w, r, version)
	}
	// A client that still sends when its call has ended may miss why.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.CopyN(io.Discard, r.Body, oldBody)
	h := w.Header()
	h.Set("Content-Type", "application/grpc")
	h.Set("Grpc-Status", strconv.Itoa(failedPrecondition))
	h.Set("Grpc-Message", tooOld(version, g.o.Flwr)) // the metadata's own percent-encoding leaves this text as it is
	w.WriteHeader(http.StatusOK)
}

func tooOld(version, ours string) string {
	has := ""
	if version != "" {
		has = " " + version
	}
	return "This SuperNode's flwr" + has + " is too old: this server needs flwr " + domain.OldestFlwr + " or newer. " +
		"Install it with: " + domain.InstallFlwr(ours)
}

// noteOld keeps the version that a SuperNode with an enrolled key has. Whoever has not signed the request changes nothing.
func (g *Gateway) noteOld(w http.ResponseWriter, r *http.Request, version string) {
	now, ip := g.o.Clock(), clientIP(r)
	if g.failures.blocked(ip, now) {
		return
	}
	auth, err := wire.VerifyHeaders(renamed(r.Header), now)
	if err != nil {
		g.failures.note(ip, now)
		return
	}
	c := &call{g: g, w: w, r: r, stop: func() {}}
	n := g.enter(auth.Fingerprint, c)
	defer g.leave(n, c)
	key, err := n.lookup(r.Context(), g.o.Keys, now)
	if err != nil || !key.RevokedAt.IsZero() {
		g.failures.note(ip, now)
		return
	}
	if n.isOld(version, now) {
		g.notify(n)
	}
}

// isOld notes that the key's machine has a flwr that is too old, and reports whether that is new. While another SuperNode with this
// key is online, it says nothing of that one.
func (n *node) isOld(version string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.seen.Online {
		return false
	}
	changed := n.seen.Flwr != version
	if n.seen.FirstAt.IsZero() {
		n.seen.FirstAt = now
	}
	n.seen.LastAt, n.seen.Flwr, n.dirty = now, version, true
	return changed
}

// renamed gives the metadata of a signed gRPC call the names and the form of today's headers.
func renamed(in http.Header) http.Header {
	out := http.Header{}
	for _, v := range in.Values(wire.HeaderTimestamp) {
		out.Add(wire.HeaderTimestamp, v)
	}
	for from, to := range map[string]string{oldPublicKey: wire.HeaderPublicKey, oldSignature: wire.HeaderSignature} {
		for _, v := range in.Values(from) { // gRPC leaves the padding out
			if raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(v, "=")); err == nil {
				out.Add(to, base64.StdEncoding.EncodeToString(raw))
			}
		}
	}
	return out
}
