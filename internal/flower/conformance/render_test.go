package conformance

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// names gives what is another thing in each exchange, such as IDs, a name that is the same in all of them.
type names struct {
	mu   sync.Mutex
	ids  map[uint64]string
	text map[string]string // of Message objects and sessions
	root map[string]bool   // objects that are Messages: their content holds times, so their names differ
	many map[string]bool   // objects of several messages: who sends one depends on who is first
}

func newNames() *names {
	return &names{ids: map[uint64]string{0: "0", 1: "SuperLink"}, text: map[string]string{}, root: map[string]bool{}, many: map[string]bool{}}
}

func (n *names) id(id uint64, name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ids[id] = name
}

func (n *names) call(text, name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.text[text] = name
}

// object notes the content of an object that passed.
func (n *names) object(content []byte) {
	if bytes.HasPrefix(content, []byte("Message ")) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.root[wire.ObjectID(content)] = true
	}
}

var (
	times    = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d`)
	anObject = regexp.MustCompile(`\b[0-9a-f]{64}\b`)
)

// render writes a message's fields in the order of their numbers: which are set, and to what.
func (n *names) render(m proto.Message) string {
	var out []string
	r := m.ProtoReflect()
	fields := r.Descriptor().Fields()
	var all []protoreflect.FieldDescriptor
	for i := range fields.Len() {
		all = append(all, fields.Get(i))
	}
	slices.SortFunc(all, func(a, b protoreflect.FieldDescriptor) int { return int(a.Number()) - int(b.Number()) })
	for _, f := range all {
		if r.Has(f) && !counts(f) {
			out = append(out, fmt.Sprintf("%s=%s", f.Name(), n.field(f, r.Get(f))))
		}
	}
	for unknown := r.GetUnknown(); len(unknown) > 0; {
		num, _, size := protowire.ConsumeField(unknown)
		if size < 0 {
			break
		}
		if s := fmt.Sprintf("field-%d", num); !slices.Contains(out, s) {
			out = append(out, s)
		}
		unknown = unknown[size:]
	}
	return "{" + strings.Join(out, " ") + "}"
}

// counts reports whether a field says how much of a run has happened so far: what the other SuperNode has done by then is chance.
func counts(f protoreflect.FieldDescriptor) bool {
	return slices.Contains([]protoreflect.Name{"bytes_sent", "bytes_recv", "clientapp_runtime"}, f.Name())
}

func (n *names) field(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch {
	case f.IsMap():
		var out []string
		v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			out = append(out, fmt.Sprintf("%s:%s", k, n.value(f.MapValue(), v)))
			return true
		})
		slices.Sort(out)
		return "[" + strings.Join(out, " ") + "]"
	case f.IsList():
		var out []string
		for i := range v.List().Len() {
			if f.Name() == "objects_to_push" && n.many[v.List().Get(i).String()] {
				continue
			}
			out = append(out, n.value(f, v.List().Get(i)))
		}
		if f.Kind() == protoreflect.MessageKind || f.Kind() == protoreflect.StringKind {
			slices.Sort(out) // in no order with Flower, or in that of random IDs
		}
		return "[" + strings.Join(out, " ") + "]"
	}
	return n.value(f, v)
}

func (n *names) value(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	name := string(f.Name())
	switch f.Kind() {
	case protoreflect.MessageKind:
		return n.render(v.Message().Interface())
	case protoreflect.BytesKind:
		if name == "object_content" {
			return n.content(v.Bytes())
		}
		if name == "public_key" {
			return "key"
		}
		return fmt.Sprintf("%d bytes %.8s", len(v.Bytes()), wire.ObjectID(v.Bytes()))
	case protoreflect.Uint64Kind:
		return n.number(name, v.Uint())
	case protoreflect.DoubleKind:
		if name == "created_at" || name == "ttl" || name == "clientapp_runtime_list" || name == "online_until" {
			return "seconds"
		}
	case protoreflect.StringKind:
		return n.string(name, v.String())
	}
	return v.String()
}

func (n *names) number(field string, v uint64) string {
	switch field {
	case "task_id", "series_id", "primary_task_id", "src_task_id", "dst_task_id":
		return "number" // a random one
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if name, ok := n.ids[v]; ok {
		return name
	}
	return fmt.Sprint(v)
}

func (n *names) string(field, v string) string {
	switch {
	case field == "session_id":
		return "session"
	case field == "reason":
		return "reason" // each SuperLink has its own words
	case times.MatchString(v):
		return "time"
	}
	return fmt.Sprintf("%q", anObject.ReplaceAllStringFunc(v, n.objectName))
}

// objectName leaves the name of an object alone, unless its content differs in each exchange.
func (n *names) objectName(id string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if name, ok := n.text[id]; ok {
		return name
	}
	if n.root[id] {
		return "MESSAGE"
	}
	return id[:12]
}

// content describes an object: its type and what it consists of, and of a Message what its metadata is.
func (n *names) content(c []byte) string {
	n.object(c)
	head, body, ok := bytes.Cut(c, []byte{0})
	if kind, rest, _ := strings.Cut(string(head), " "); ok && kind == "Message" {
		children, _, _ := strings.Cut(rest, " ")
		var m flwrpb.Message
		if proto.Unmarshal(body, &m) == nil {
			return fmt.Sprintf("Message of %s: %s", anObject.ReplaceAllStringFunc(children, n.objectName), n.render(&m))
		}
	}
	sum := wire.ObjectID(c)
	if raw, err := hex.DecodeString(sum); err != nil || len(raw) == 0 {
		return "?"
	}
	return fmt.Sprintf("%d bytes %s", len(c), sum[:12])
}
