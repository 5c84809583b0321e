// Package download sends files so that a download that broke off can be resumed: it answers Range and conditional requests.
package download

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"time"
)

// File sends a regular file as it is now. The caller has set Content-Type, and closes the file. Its ETag changes with the file's size and
// time, so a file that its program is still writing is never put together from two states.
func File(w http.ResponseWriter, r *http.Request, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	w.Header().Set("Etag", fmt.Sprintf(`"%x-%x"`, info.ModTime().UnixNano(), info.Size()))
	http.ServeContent(w, r, "", info.ModTime(), f)
	return nil
}

// Hashed sends a file whose content has a known SHA-256, in hex, which becomes its ETag. The caller has set Content-Type, and closes the
// file.
func Hashed(w http.ResponseWriter, r *http.Request, f *os.File, sum string) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	w.Header().Set("Etag", `"`+sum+`"`)
	http.ServeContent(w, r, "", info.ModTime(), f)
	return nil
}

// Bytes sends content that is at hand. The caller has set Content-Type. The ETag is a hash of the content.
func Bytes(w http.ResponseWriter, r *http.Request, content []byte) {
	sum := sha256.Sum256(content)
	w.Header().Set("Etag", fmt.Sprintf(`"%x"`, sum))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}
