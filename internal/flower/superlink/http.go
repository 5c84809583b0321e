package superlink

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"blossomtune/internal/domain"

	"google.golang.org/protobuf/proto"
)

const (
	contentType = "application/protobuf"
	maxCall     = 64 << 20 // of a call that is read whole
)

// refusal is an answer other than 200, in Flower's form: its code tells its clients what it is about.
type refusal struct {
	status int
	code   int // Flower's ApiErrorCode (flwr 1.42, supercore/error); 0: none
	detail string
}

func (r *refusal) Error() string { return r.detail }

// The refusals of the Fleet and Runtime APIs, with Flower's statuses, codes and meaning.
var (
	errInterval     = &refusal{http.StatusBadRequest, 2003, "Invalid heartbeat interval."}
	errActivation   = &refusal{http.StatusPreconditionFailed, 2004, "Failed to activate SuperNode."}
	errDeactivation = &refusal{http.StatusPreconditionFailed, 2005, "Failed to deactivate SuperNode."}
	errNotRunning   = &refusal{http.StatusForbidden, 2007, "The current run status does not allow this Fleet API operation."}
	errGetRun       = &refusal{http.StatusForbidden, 2008, "Failed to get run."}
	errGetFAB       = &refusal{http.StatusForbidden, 2009, "Failed to get FAB."}
	errToken        = &refusal{http.StatusUnauthorized, 1008, "Authentication failed."}
	errNodeID       = &refusal{http.StatusPreconditionFailed, 3004, "Unexpected node ID."}
	errTaskStart    = &refusal{http.StatusPreconditionFailed, 3002, "Failed to start task."}
	errBadBody      = &refusal{http.StatusBadRequest, 1003, "Invalid protobuf payload."}
	errUnknownNode  = &refusal{http.StatusUnauthorized, 0, "Invalid SuperNode authentication"}
	errUnknownPath  = &refusal{http.StatusNotFound, 0, "Not Found"}
	errTooLarge     = &refusal{http.StatusRequestEntityTooLarge, 0, "The request is too large."}
	errFull         = &refusal{http.StatusInsufficientStorage, 0, "The run has reached its limit of stored objects."}
	errNodeFull     = &refusal{http.StatusInsufficientStorage, 0, "The SuperNode has reached its limit of stored objects."}
	errCrowded      = &refusal{http.StatusInsufficientStorage, 0, "The run has reached its limit of unconfirmed messages and replies."}
	errUnavailable  = &refusal{http.StatusServiceUnavailable, 0, "The SuperLink cannot do this now."}
)

func refuse(w http.ResponseWriter, err error) {
	var r *refusal
	if !errors.As(err, &r) {
		if r = errUnavailable; domain.CodeOf(err) == domain.NotFound {
			r = errUnknownPath
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if r.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(r.status)
	said := map[string]any{"detail": r.detail}
	if r.code != 0 {
		said["code"] = r.code
	}
	_ = json.NewEncoder(w).Encode(said)
}

// read reads a call that is not an object.
func read(w http.ResponseWriter, r *http.Request, into proto.Message) (size int, err error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCall))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return 0, errTooLarge
	case err != nil:
		return 0, errBadBody
	case proto.Unmarshal(body, into) != nil:
		return 0, errBadBody
	}
	return len(body), nil
}

func answer(w http.ResponseWriter, m proto.Message) {
	text, err := proto.Marshal(m)
	if err != nil {
		refuse(w, errUnavailable)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = w.Write(text)
}
