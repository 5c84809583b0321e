package rehearsal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

const (
	maxTree = 1 << 20   // objects of a message
	maxBody = 256 << 20 // of a call: an object, or messages with their object trees
)

var errTooLarge = errors.New("the rehearsal has reached its limit of stored objects")

// store keeps the run's objects in files: a model needs no memory.
type store struct {
	dir     string
	most    int64
	bytes   int64
	objects map[string]int64 // sizes of those that are here
	known   map[string]bool  // announced
}

func (s *store) path(id string) string { return filepath.Join(s.dir, id) }

// announce notes the objects of a tree, and returns all of them and those that are missing.
func (s *store) announce(tree *flwrpb.ObjectTree) (all, missing []string, err error) {
	all, err = wire.TreeIDs(tree, maxTree)
	if err != nil {
		return nil, nil, err
	}
	if s.known == nil {
		s.known = map[string]bool{}
	}
	for _, id := range all {
		s.known[id] = true
		if _, ok := s.objects[id]; !ok {
			missing = append(missing, id)
		}
	}
	return all, missing, nil
}

// put stores an object that was announced.
func (s *store) put(id string, content []byte) error {
	switch {
	case !s.known[id]:
		return errors.New("an object that no message lists")
	case wire.ObjectID(content) != id:
		return errors.New("the content of an object does not match its name")
	case s.bytes+int64(len(content)) > s.most:
		return errTooLarge
	}
	if _, ok := s.objects[id]; ok {
		return nil
	}
	if err := os.WriteFile(s.path(id), content, 0o600); err != nil {
		return fmt.Errorf("storing an object: %w", err)
	}
	s.objects[id] = int64(len(content))
	s.bytes += int64(len(content))
	return nil
}

// pull answers a call for an object.
func (s *store) pull(id string) (*flwrpb.PullObjectResponse, error) {
	out := &flwrpb.PullObjectResponse{ObjectFound: s.known[id]}
	if _, ok := s.objects[id]; !ok {
		return out, nil
	}
	content, err := os.ReadFile(s.path(id))
	out.ObjectAvailable, out.ObjectContent = true, content
	return out, err
}

// remake copies a message with other metadata. The copy shares all objects but the root, which is returned with it.
func remake(m *flwrpb.Message, tree *flwrpb.ObjectTree, change func(*flwrpb.Metadata)) (*flwrpb.Message, *flwrpb.ObjectTree, []byte,
	error) {
	out := proto.Clone(m).(*flwrpb.Message)
	change(out.GetMetadata())
	out.Metadata.MessageId = "" // not part of what is hashed; neither is the content
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(&flwrpb.Message{Metadata: out.GetMetadata(), Error: out.GetError()})
	if err != nil {
		return nil, nil, nil, err
	}
	children := make([]string, len(tree.GetChildren()))
	for i, c := range tree.GetChildren() {
		children[i] = c.GetObjectId()
	}
	root := append(fmt.Appendf(nil, "Message %s %d\x00", strings.Join(children, ","), len(body)), body...)
	out.Metadata.MessageId = wire.ObjectID(root)
	return out, &flwrpb.ObjectTree{ObjectId: out.GetMetadata().GetMessageId(), Children: tree.GetChildren()}, root, nil
}
