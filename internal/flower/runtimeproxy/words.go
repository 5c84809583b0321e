package runtimeproxy

import (
	"bytes"
	"io"
	"net/http"

	"blossomtune/internal/flower/wire/flwrpb"

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
	var in flwrpb.PushTaskOutputRequest
	if proto.Unmarshal(body, &in) == nil {
		words := in.GetDetails()
		p.seen.Output(&in)
		if in.GetDetails() != words {
			if masked, err := proto.Marshal(&in); err == nil {
				body = masked
			}
		}
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	p.buffered(w, r, nil, nil)
}
