package runtimeproxy

import (
	"bytes"
	"io"
	"net/http"
	"strings"

	"blossomtune/internal/flower/wire/flwrpb"
	"blossomtune/internal/logmask"

	"google.golang.org/protobuf/proto"
)

// A ServerApp sends what it prints, and the words of the exception that ended it, to the SuperLink too, which would keep them in its
// database as they are.

// logsTaken takes what a ServerApp printed in the SuperLink's place and drops it: the keeper has it already, masked and bounded, and
// nobody reads the SuperLink's copy.
func logsTaken(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxMessages))
	w.Header().Set("Content-Type", "application/protobuf") // an empty message
	w.WriteHeader(http.StatusOK)
}

// taskOutput forwards how a ServerApp ended, without secrets in its words.
func (p *Proxy) taskOutput(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMessages))
	if err != nil {
		http.Error(w, `{"detail":"The request is too large."}`, http.StatusRequestEntityTooLarge)
		return
	}
	body = maskedOutput(body)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	p.buffered(w, r, p.output, nil)
}

func maskedOutput(body []byte) []byte {
	var in flwrpb.PushTaskOutputRequest
	if proto.Unmarshal(body, &in) != nil || in.GetDetails() == "" {
		return body
	}
	masked := logmask.Text(in.GetDetails())
	if masked == in.GetDetails() {
		return body
	}
	in.Details = strings.ToValidUTF8(masked, "?")
	if out, err := proto.Marshal(&in); err == nil {
		return out
	}
	return body
}
