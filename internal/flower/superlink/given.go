package superlink

import (
	"context"
	"io"
	"net/http"
	"os"

	"blossomtune/internal/flower/observe"
	"blossomtune/internal/flower/wire/flwrpb"
)

func (a runtimeAPI) pushObject(w http.ResponseWriter, r *http.Request, id uint64) error {
	in, err := a.readObject(r.Body, id)
	defer a.discard(in)
	if err != nil {
		return err
	}
	if in.GetNode().GetNodeId() != ServerID {
		return errNodeID
	}
	if a.seen != nil {
		content := in.small
		if in.path != "" && in.size <= observe.MaxDecoded {
			if content, err = os.ReadFile(in.path); err != nil {
				a.o.Log.Warn("reading an object", "err", err)
				return errUnavailable
			}
		}
		if content != nil && !a.seen.Given(r.Context(), in.GetObjectId(), content) {
			return errUnavailable
		}
	}
	stored, err := a.keep(id, in, false)
	if err != nil {
		return err
	}
	if a.seen != nil {
		a.seen.Taken(in.GetObjectId())
	}
	answer(w, &flwrpb.PushObjectResponse{Stored: stored})
	return nil
}

// maxShared bounds the objects of a call that are read although the ServerApp does not send them.
const maxShared = 10_000

// shared notes which objects of a message that is about to be taken are here already for other runs, so that the ServerApp is not asked to
// send them, and are small enough to be read. Of a message that comes again it notes all that are here: the first time may have failed.
func (l *Link) shared(m *flwrpb.Metadata, ids []string, into map[string]bool) {
	again := l.letters[m.GetMessageId()] != nil
	for _, id := range ids {
		o := l.objects[id]
		if o != nil && o.here && o.size <= observe.MaxDecoded && (again || !o.of(m.GetRunId())) && len(into) < maxShared {
			into[id] = true
		}
	}
}

// giveShared lets the Observer read objects as if the ServerApp had sent them.
func (a runtimeAPI) giveShared(ctx context.Context, runID uint64, ids map[string]bool) bool {
	for id := range ids {
		f, err := a.fetch(ctx, 0, runID, id)
		if err == nil && f.file != nil {
			f.content, err = io.ReadAll(io.LimitReader(f.file, observe.MaxDecoded))
			_ = f.file.Close()
		}
		if err != nil {
			a.o.Log.Warn("reading an object that another run has sent", "err", err)
			return false
		}
		if !a.seen.Given(ctx, id, f.content) {
			return false
		}
	}
	return true
}
