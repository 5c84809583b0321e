package superlink

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"os"
	"strconv"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// The fields of PushObjectRequest and PullObjectResponse.
const (
	fieldObjectContent = 4
	fieldFound         = 1
	fieldAvailable     = 2
	fieldContent       = 3
)

// maxField bounds what of a push-object call is not the content.
const maxField = 4 << 10

var errName = &refusal{http.StatusBadRequest, 0, "The object's content does not match its name."}

// pushed is a push-object call that has been read.
type pushed struct {
	flwrpb.PushObjectRequest
	small []byte // the content; nil: it is in the file at path
	path  string
	size  int64

	sender   uint64 // the SuperNode that sends it; 0: a ServerApp does
	run      uint64 // of a large content
	reserved int64  // bytes that count for the run and the sender
}

// readObject reads a push-object call of a run; of the run that the call names if runID is 0. A large content is hashed as it arrives. It
// goes into a file if the run needs the object and there is room for it; reserved bytes then count until the caller releases them.
func (l *Link) readObject(body io.Reader, runID uint64) (*pushed, error) {
	in := bufio.NewReaderSize(body, 32<<10)
	out := &pushed{}
	var rest []byte // the other fields
	sum := sha256.New()
	seen := false
	for {
		tag, err := binaryUvarint(in)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || tag>>3 == 0 || tag>>3 > 15 {
			return out, errBadBody
		}
		num, kind := protowire.Number(tag>>3), protowire.Type(tag&7)
		switch {
		case num == fieldObjectContent && kind == protowire.BytesType && !seen:
			seen = true
			if err := l.readContent(in, out, sum, runID, rest); err != nil {
				return out, err
			}
		case kind == protowire.BytesType && num != fieldObjectContent:
			n, err := binaryUvarint(in)
			if err != nil || n > maxField || len(rest) > maxField {
				return out, errBadBody
			}
			value := make([]byte, n)
			if _, err := io.ReadFull(in, value); err != nil {
				return out, errBadBody
			}
			rest = protowire.AppendBytes(protowire.AppendTag(rest, num, kind), value)
		case kind == protowire.VarintType && len(rest) <= maxField:
			n, err := binaryUvarint(in)
			if err != nil {
				return out, errBadBody
			}
			rest = protowire.AppendVarint(protowire.AppendTag(rest, num, kind), n)
		default:
			return out, errBadBody
		}
	}
	if proto.Unmarshal(rest, &out.PushObjectRequest) != nil {
		return out, errBadBody
	}
	if hex.EncodeToString(sum.Sum(nil)) != out.GetObjectId() || !wire.IsObjectID(out.GetObjectId()) {
		return out, errName
	}
	if runID == 0 && out.reserved == 0 {
		out.sender = out.GetNode().GetNodeId()
	}
	return out, nil
}

func (l *Link) readContent(in *bufio.Reader, out *pushed, sum hash.Hash, runID uint64, before []byte) error {
	n, err := binaryUvarint(in)
	if err != nil || n > 1<<40 {
		return errBadBody
	}
	out.size = int64(n)
	if n <= smallObject {
		out.small = make([]byte, n)
		if _, err := io.ReadFull(in, out.small); err != nil {
			return errBadBody
		}
		sum.Write(out.small)
		return nil
	}
	var head flwrpb.PushObjectRequest // Flower's clients send the content last
	if proto.Unmarshal(before, &head) != nil {
		return errBadBody
	}
	if out.run = runID; runID == 0 {
		out.run, out.sender = head.GetRunId(), head.GetNode().GetNodeId()
	}
	wanted, err := l.reserve(out, head.GetObjectId())
	if err != nil {
		return err
	}
	var size int64
	if !wanted { // it is here already, or no message lists it
		if size, err = io.Copy(sum, io.LimitReader(in, out.size)); err != nil || size != out.size {
			return errBadBody
		}
		return nil
	}
	if out.path, size, err = l.spool(io.LimitReader(in, out.size), sum); err != nil {
		l.o.Log.Warn("taking an object", "err", err)
		return errUnavailable
	}
	if size != out.size {
		return errBadBody
	}
	return nil
}

// reserve reports whether a large object is to be kept, and counts its bytes for the run and the sender while it is received.
func (l *Link) reserve(in *pushed, id string) (wanted bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wanted, err = l.room(in.run, in.sender, id, in.size)
	if err != nil || !wanted || l.objects[id].here {
		return false, err
	}
	in.reserved = in.size
	l.charge(in.run, in.reserved)
	l.chargeNode(in.sender, in.reserved)
	return true, nil
}

// unreserve undoes what reserve has counted.
func (l *Link) unreserve(in *pushed) {
	l.charge(in.run, -in.reserved)
	l.chargeNode(in.sender, -in.reserved)
	in.reserved = 0
}

// discard removes what is left of a push-object call.
func (l *Link) discard(in *pushed) {
	if in.path != "" {
		_ = os.Remove(in.path)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unreserve(in)
}

func binaryUvarint(in *bufio.Reader) (uint64, error) {
	var v uint64
	for shift := 0; shift < 64; shift += 7 {
		b, err := in.ReadByte()
		if err != nil {
			if shift > 0 {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
		if v |= uint64(b&0x7f) << shift; b < 0x80 {
			return v, nil
		}
	}
	return 0, errBadBody
}

// keep stores the object of a call.
func (l *Link) keep(runID uint64, in *pushed, meter bool) (bool, error) {
	switch {
	case in.path != "":
		return l.storeFile(runID, in, meter)
	case in.size > smallObject:
		return l.has(runID, in.GetObjectId())
	case in.small == nil:
		in.small = []byte{}
	}
	return l.store(runID, in.sender, in.GetObjectId(), in.small, meter)
}

// give answers a pull-object call.
func give(w http.ResponseWriter, f found) {
	if f.file == nil {
		answer(w, &flwrpb.PullObjectResponse{ObjectFound: f.known, ObjectAvailable: f.here, ObjectContent: f.content})
		return
	}
	defer f.file.Close()
	var head []byte
	for _, field := range []protowire.Number{fieldFound, fieldAvailable} {
		head = protowire.AppendVarint(protowire.AppendTag(head, field, protowire.VarintType), 1)
	}
	head = protowire.AppendVarint(protowire.AppendTag(head, fieldContent, protowire.BytesType), uint64(f.size))
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.FormatInt(int64(len(head))+f.size, 10))
	_, _ = io.Copy(w, io.MultiReader(bytes.NewReader(head), io.LimitReader(f.file, f.size)))
}
