package engine

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"path/filepath"

	"blossomtune/internal/flower/launcher"
)

// A keeper's socket takes orders only from a process that can read the federation's directory. The user alone proves nothing: apps run as
// the same user, and Landlock does not keep them from a socket that has a path (before Linux 7).

const (
	keyHeader = "Blossomtune-Keeper"
	keyLabel  = "keeper-socket-v1"
)

// socketKey derives the key of a keeper's socket from the launcher's secret.
func socketKey(secret []byte) string {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(keyLabel))
	return hex.EncodeToString(h.Sum(nil))
}

// readSocketKey returns the key of the keeper in a directory; none when there has been no keeper yet.
func readSocketKey(dir string) string {
	secret, err := launcher.ReadFile(filepath.Join(dir, secretName), maxFile)
	if err != nil {
		return ""
	}
	return socketKey(secret)
}

// keyed lets only requests with the key pass.
func keyed(key string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !hmac.Equal([]byte(r.Header.Get(keyHeader)), []byte(key)) {
			http.Error(w, "the request does not have the key of this keeper", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
