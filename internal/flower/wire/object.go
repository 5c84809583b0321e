package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// HeaderTaskToken carries the token of a task in each call of the Runtime API.
const HeaderTaskToken = "flwr-task-token"

// The headers by which Flower's parts tell each other their versions (flwr 1.42, supercore/constant.py).
const (
	HeaderPackageName    = "flwr-package-name"
	HeaderPackageVersion = "flwr-package-version"
	HeaderComponentName  = "flwr-component-name"
)

// Flower's codes of an error reply (flwr.common.constant.ErrorCode).
const (
	ErrorUnknown       = 0
	ErrorLoadClientApp = 1 // the ClientApp cannot be loaded
	ErrorRaised        = 2 // the ClientApp raised an exception
	ErrorInvalidFAB    = 7
	ErrorCrashed       = 8 // the ClientApp ended before it replied
)

// ObjectID returns the name of an object: the hexadecimal SHA-256 of its content.
func ObjectID(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// IsObjectID reports whether s has the form of an object's name.
func IsObjectID(s string) bool {
	if len(s) != 2*sha256.Size {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// TreeIDs returns the distinct names in an object tree, the root first. It is an error when a name has another form, or when there
// are more than most.
func TreeIDs(tree *flwrpb.ObjectTree, most int) ([]string, error) {
	var ids []string
	seen := map[string]bool{}
	todo := []*flwrpb.ObjectTree{tree}
	for nodes := 0; len(todo) > 0; nodes++ {
		t := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if nodes >= most {
			return nil, fmt.Errorf("an object tree of more than %d nodes", most)
		}
		if id := t.GetObjectId(); !seen[id] {
			if !IsObjectID(id) {
				return nil, fmt.Errorf("%.80q is not the name of an object", id)
			}
			seen[id], ids = true, append(ids, id)
		}
		todo = append(todo, t.GetChildren()...)
	}
	return ids, nil
}

// ErrorReply makes the reply that tells a ServerApp that a message could not be handled: what travels in push-messages, and the one
// object that it consists of. now is in the SuperLink's time; the reply expires when the message does.
func ErrorReply(to *flwrpb.Message, code int, reason string, now time.Time) (*flwrpb.Message, *flwrpb.ObjectTree, []byte, error) {
	in := to.GetMetadata()
	created := float64(now.UnixMicro()) / 1e6
	reply := &flwrpb.Message{
		Metadata: &flwrpb.Metadata{
			RunId: in.GetRunId(), SrcNodeId: in.GetDstNodeId(), DstNodeId: in.GetSrcNodeId(), ReplyToMessageId: in.GetMessageId(),
			GroupId: in.GetGroupId(), Ttl: in.GetCreatedAt() + in.GetTtl() - created, MessageType: in.GetMessageType(), CreatedAt: created,
			SrcTaskId: in.DstTaskId, DstTaskId: in.SrcTaskId,
		},
		Error: &flwrpb.Error{Code: int64(code), Reason: reason},
	}
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(reply)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("encoding an error reply: %w", err)
	}
	content := withHead("Message", body)
	id := ObjectID(content)
	reply.Metadata.MessageId = id // not part of what is hashed
	return reply, &flwrpb.ObjectTree{ObjectId: id}, content, nil
}

// withHead puts Flower's head before the body of an object without children: type, names of the children, length of the body.
func withHead(kind string, body []byte) []byte {
	var b bytes.Buffer
	b.WriteString(kind + "  " + strconv.Itoa(len(body)))
	b.WriteByte(0)
	b.Write(body)
	return b.Bytes()
}
