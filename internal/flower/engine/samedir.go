package engine

import (
	"context"
	"crypto/rand"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"blossomtune/internal/filelock"
)

// On some file systems (network, overlay, FUSE) the numbers of a directory change while it stays the same one, so numbers that differ do
// not prove a copy. The keeper is then asked to find a file that was just written into the directory: in a copy it would not see it.

// markPrefix begins the name of that file.
const markPrefix = ".same-"

// markWait bounds the question.
const markWait = 5 * time.Second

// ofThisDir reports whether a keeper that recorded recorded as its directory's [filelock.DirID] runs this very directory.
func (l *link) ofThisDir(ctx context.Context, recorded string) bool {
	return recorded == "" || recorded == filelock.DirID(l.dir) || l.seesMark(ctx)
}

func (l *link) seesMark(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, markWait)
	defer cancel()
	name := markPrefix + strings.ToLower(rand.Text())
	path := filepath.Join(l.dir, name)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return false
	}
	defer os.Remove(path)
	res, err := l.do(ctx, http.MethodGet, "/same?mark="+name, nil)
	if err != nil {
		return false
	}
	return res.Body.Close() == nil
}

// same answers whether the keeper sees a mark in its directory.
func (k *server) same(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("mark")
	if !strings.HasPrefix(name, markPrefix) || filepath.Base(name) != name {
		http.Error(w, "this is no mark", http.StatusBadRequest)
		return
	}
	if _, err := os.Lstat(filepath.Join(k.dir, name)); err != nil {
		http.Error(w, "there is no such mark here", http.StatusNotFound)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
