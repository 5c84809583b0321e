package fleetload

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"
)

// Sizes of what travels.
const (
	MinObjects     = 3       // a Message, its RecordDict and a MetricRecord
	MaxObjects     = 10_000  // of one message
	MaxObjectBytes = 5 << 20 // of an array's chunk, as flwr cuts them
	transfers      = 2       // objects that flwr moves side by side
)

// content is a message's content: a RecordDict with what is in it.
type content struct {
	tree  *flwrpb.ObjectTree
	parts map[string][]byte // objects by id
}

func (c *content) put(kind string, children []*flwrpb.ObjectTree, body []byte) *flwrpb.ObjectTree {
	object := encode(kind, children, body)
	id := wire.ObjectID(object)
	c.parts[id] = object
	return &flwrpb.ObjectTree{ObjectId: id, Children: children}
}

func encode(kind string, children []*flwrpb.ObjectTree, body []byte) []byte {
	ids := make([]string, len(children))
	for i, c := range children {
		ids[i] = c.GetObjectId()
	}
	return append(fmt.Appendf(nil, "%s %s %d\x00", kind, strings.Join(ids, ","), len(body)), body...)
}

// model is what a content is made from: so many objects with arrays of so many bytes.
type model struct {
	objects int
	head    []byte // of each array, as numpy writes it
	data    []byte
}

func newModel(objects, size int) model {
	n := max(size/4, 2)
	shape := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d,), }", n)
	pad := 64 - (10+len(shape)+1)%64
	shape += strings.Repeat(" ", pad) + "\n"
	head := binary.LittleEndian.AppendUint16([]byte("\x93NUMPY\x01\x00"), uint16(len(shape)))
	m := model{objects: objects, head: append(head, shape...), data: make([]byte, 4*n)}
	random := rand.New(rand.NewPCG(uint64(n), 1))
	for i := range n {
		_, _ = binary.Encode(m.data[4*i:], binary.LittleEndian, float32(random.Float64()-0.5))
	}
	return m
}

// make returns a content that no other unique number gives: a MetricRecord, an ArrayRecord with arrays of one chunk each, and ConfigRecords
// to reach the number of objects. The Message itself counts as one of them.
func (m model) make(unique uint64) *content {
	c := &content{parts: make(map[string][]byte, m.objects)}
	var records []*flwrpb.ObjectTree
	refs := map[string]string{}
	add := func(name string, t *flwrpb.ObjectTree) {
		records, refs[name] = append(records, t), t.GetObjectId()
	}
	value := float64(unique%1_000_003) / 1_000_003
	add("metrics", c.put("MetricRecord", nil, metrics(value)))
	left := m.objects - MinObjects
	if arrays := (left - 1) / 2; arrays > 0 {
		add("arrays", m.arrays(c, arrays, unique))
		left -= 1 + 2*arrays
	}
	for i := range left {
		add(fmt.Sprintf("config%d", i), c.put("ConfigRecord", nil, config(int64(i), unique)))
	}
	body, _ := json.Marshal(refs) // strings always encode
	c.tree = c.put("RecordDict", records, body)
	return c
}

func (m model) arrays(c *content, n int, unique uint64) *flwrpb.ObjectTree {
	refs, arrays := make(map[string]string, n), make([]*flwrpb.ObjectTree, n)
	meta := fmt.Appendf(nil, `{"dtype": "float32", "shape": [%d], "stype": "numpy.ndarray", "arraychunk_ids": [0]}`, len(m.data)/4)
	for i := range n {
		chunk := append(append(make([]byte, 0, len(m.head)+len(m.data)), m.head...), m.data...)
		own := chunk[len(m.head):]
		_, _ = binary.Encode(own, binary.LittleEndian, float32(unique%1_000_003)/1_000_003) // there is room
		_, _ = binary.Encode(own[4:], binary.LittleEndian, float32(i)+float32(unique>>32%65_521)/65_521)
		arrays[i] = c.put("Array", []*flwrpb.ObjectTree{c.put("ArrayChunk", nil, chunk)}, meta)
		refs[fmt.Sprintf("layer%d", i)] = arrays[i].GetObjectId()
	}
	body, _ := json.Marshal(refs)
	return c.put("ArrayRecord", arrays, body)
}

func metrics(value float64) []byte {
	body, _ := proto.Marshal(&flwrpb.MetricRecord{Items: []*flwrpb.MetricRecord_Item{
		{Key: "num-examples", Value: &flwrpb.MetricRecordValue{Value: &flwrpb.MetricRecordValue_Sint64{Sint64: 100}}},
		{Key: "loss", Value: &flwrpb.MetricRecordValue{Value: &flwrpb.MetricRecordValue_Double{Double: value}}}}})
	return body
}

func config(i int64, unique uint64) []byte {
	body, _ := proto.Marshal(&flwrpb.ConfigRecord{Items: []*flwrpb.ConfigRecord_Item{
		{Key: "i", Value: &flwrpb.ConfigRecordValue{Value: &flwrpb.ConfigRecordValue_Sint64{Sint64: i}}},
		{Key: "of", Value: &flwrpb.ConfigRecordValue{Value: &flwrpb.ConfigRecordValue_Sint64{Sint64: int64(unique >> 1)}}}}})
	return body
}

// seal makes a message of metadata and a content, as flwr names and encodes it; root is the Message object.
func seal(meta *flwrpb.Metadata, c *content) (m *flwrpb.Message, tree *flwrpb.ObjectTree, root []byte, err error) {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(&flwrpb.Message{Metadata: meta})
	if err != nil {
		return nil, nil, nil, err
	}
	children := []*flwrpb.ObjectTree{c.tree}
	root = encode("Message", children, body)
	meta.MessageId = wire.ObjectID(root) // not part of what is hashed
	return &flwrpb.Message{Metadata: meta, Content: &flwrpb.RecordDict{}}, &flwrpb.ObjectTree{ObjectId: meta.GetMessageId(),
		Children: children}, root, nil
}

func unixTime(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// postOrder returns the distinct ids of a tree, children before their parents, as flwr transfers them.
func postOrder(tree *flwrpb.ObjectTree) ([]string, error) {
	ids, seen, nodes := []string(nil), map[string]bool{}, 0
	var walk func(t *flwrpb.ObjectTree, depth int) error
	walk = func(t *flwrpb.ObjectTree, depth int) error {
		if nodes++; nodes > MaxObjects+MaxNodes || depth > 100 {
			return errors.New("the object tree is too large")
		}
		for _, c := range t.GetChildren() {
			if err := walk(c, depth+1); err != nil {
				return err
			}
		}
		if id := t.GetObjectId(); !seen[id] {
			seen[id], ids = true, append(ids, id)
		}
		return nil
	}
	return ids, walk(tree, 0)
}

// pulled is what a message's objects came to.
type pulled struct{ objects, bytes, wrong atomic.Int64 }

// pullAll pulls the objects of a tree and checks their names; one that is not there yet is asked for again.
func (c *caller) pullAll(ctx context.Context, node, run uint64, tree *flwrpb.ObjectTree) (*pulled, error) {
	ids, err := postOrder(tree)
	if err != nil {
		return nil, err
	}
	got := &pulled{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(transfers)
	for _, id := range ids {
		g.Go(func() error {
			object, err := c.pull(ctx, &flwrpb.PullObjectRequest{Node: &flwrpb.Node{NodeId: node}, RunId: run, ObjectId: id})
			if err != nil {
				return err
			}
			got.objects.Add(1)
			got.bytes.Add(int64(len(object)))
			if wire.ObjectID(object) != id {
				got.wrong.Add(1)
			}
			return nil
		})
	}
	return got, g.Wait()
}

func (c *caller) pull(ctx context.Context, in *flwrpb.PullObjectRequest) ([]byte, error) {
	const tries = 500
	wait := time.Second
	for range tries {
		var out flwrpb.PullObjectResponse
		if err := c.persist(ctx, "pull-object", in, &out); err != nil {
			return nil, err
		}
		switch {
		case !out.GetObjectFound():
			return nil, fmt.Errorf("the object %.12s was not found", in.GetObjectId())
		case out.GetObjectAvailable():
			return out.GetObjectContent(), nil
		}
		if !sleep(ctx, c.between(wait*8/10, wait*12/10)) {
			return nil, context.Cause(ctx)
		}
		wait = min(2*wait, 10*time.Second)
	}
	return nil, errors.New("an object never arrived")
}

// pushAll pushes the objects that were asked for, in the order of the tree, and returns how many bytes they have.
func (c *caller) pushAll(ctx context.Context, node, run uint64, session string, tree *flwrpb.ObjectTree, asked []string,
	parts map[string][]byte) (int64, error) {
	ids, err := postOrder(tree)
	if err != nil {
		return 0, err
	}
	wanted := make(map[string]bool, len(asked))
	for _, id := range asked {
		wanted[id] = true
	}
	var size atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(transfers)
	for _, id := range ids {
		if !wanted[id] {
			continue
		}
		object := parts[id]
		g.Go(func() error {
			in := &flwrpb.PushObjectRequest{Node: &flwrpb.Node{NodeId: node}, RunId: run, ObjectId: id, ObjectContent: object,
				SessionId: session}
			var out flwrpb.PushObjectResponse
			if err := c.persist(ctx, "push-object", in, &out); err != nil {
				return err
			}
			if !out.GetStored() {
				return errors.New("an object was not stored")
			}
			size.Add(int64(len(object)))
			return nil
		})
	}
	err = g.Wait()
	return size.Load(), err
}

// random64 makes a number for a content from what it is for.
func random64(parts ...string) uint64 {
	id := wire.ObjectID(bytes.Join(asBytes(parts), []byte{0}))
	return binary.LittleEndian.Uint64([]byte(id[:8]))
}

func asBytes(in []string) (out [][]byte) {
	for _, s := range in {
		out = append(out, []byte(s))
	}
	return out
}
