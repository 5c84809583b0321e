package supernode

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"
)

// Bounds of what is read of an object that describes others.
const (
	maxDescription = 16 << 20
	maxKind        = 40
	maxShape       = 64
	unknownKind    = "unknown"
)

// described is a reply whose objects are looked into, as far as they describe others.
type described struct {
	heads map[string]objectHead
	below map[string][]*flwrpb.ObjectTree
	sizes map[string]int64 // of objects with all that they consist of
}

// objectHead is what an object's content says of itself (flwr 1.42, supercore/inflatable): a type, then after a zero byte a body.
type objectHead struct {
	kind string
	body []byte // of objects that describe others; nil for those with data
	size int64
}

// describe lists a reply's records and objects. It waits for objects that are not there. Objects with data are not read beyond their
// heads, so a model needs no memory.
func describe(ctx context.Context, tree *flwrpb.ObjectTree, from *spool) (records []Record, objects []Object, total int64, err error) {
	ids, err := wire.TreeIDs(tree, maxTree)
	if err != nil {
		return nil, nil, 0, err
	}
	d := described{heads: make(map[string]objectHead, len(ids)), below: map[string][]*flwrpb.ObjectTree{}, sizes: map[string]int64{}}
	for _, id := range ids {
		h, err := readHead(ctx, from, id)
		if err != nil {
			return nil, nil, 0, fmt.Errorf("reading object %s of the reply: %w", id, err)
		}
		d.heads[id] = h
		objects, total = append(objects, Object{ID: id, Kind: h.kind, Bytes: h.size}), total+h.size
	}
	d.index(tree)
	for _, o := range objects {
		if o.Kind == "RecordDict" {
			records = append(records, d.records(d.heads[o.ID].body)...)
		}
	}
	return records, objects, total, nil
}

// index notes the children of each object. An object that occurs several times has the same ones each time, as its name covers them.
func (d *described) index(t *flwrpb.ObjectTree) {
	for todo := []*flwrpb.ObjectTree{t}; len(todo) > 0; {
		t, todo = todo[len(todo)-1], todo[:len(todo)-1]
		d.below[t.GetObjectId()] = t.GetChildren()
		todo = append(todo, t.GetChildren()...)
	}
}

func readHead(ctx context.Context, from *spool, id string) (objectHead, error) {
	content, size, err := from.get(ctx, id)
	if err != nil {
		return objectHead{}, err
	}
	defer content.Close()
	h := objectHead{kind: unknownKind, size: size}
	r := bufio.NewReader(content)
	first, err := r.Peek(int(min(size, maxKind)))
	if err != nil && !errors.Is(err, io.EOF) {
		return h, err
	}
	kind, _, ok := bytes.Cut(first, []byte{' '})
	if !ok || !isKind(kind) {
		return h, nil
	}
	h.kind = string(kind)
	if h.kind != "RecordDict" && h.kind != "ArrayRecord" && h.kind != "Array" || size > maxDescription {
		return h, nil
	}
	all, err := io.ReadAll(io.LimitReader(r, size))
	if _, body, ok := bytes.Cut(all, []byte{0}); ok && err == nil {
		h.body = body
	}
	return h, err
}

func isKind(b []byte) bool {
	for _, c := range b {
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return len(b) > 0
}

// named reads a JSON object of names and object ids, in order.
func named(body []byte) (out [][2]string) {
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return out
		}
		value, err := d.Token()
		name, ok := key.(string)
		id, isText := value.(string)
		if err != nil || !ok || !isText {
			return out
		}
		out = append(out, [2]string{strings.ToValidUTF8(name, "?"), id})
	}
	return out
}

func (d *described) records(body []byte) (out []Record) {
	for _, n := range named(body) {
		h, ok := d.heads[n[1]]
		if !ok {
			continue // it is not part of the reply
		}
		r := Record{Name: n[0], Kind: h.kind, Object: n[1], Bytes: d.size(n[1])}
		if h.kind == "ArrayRecord" {
			for _, a := range named(h.body) {
				if ah, ok := d.heads[a[1]]; ok {
					r.Arrays = append(r.Arrays, arrayOf(a[0], a[1], ah, d.size(a[1])))
				}
			}
		}
		out = append(out, r)
	}
	return out
}

func arrayOf(name, id string, h objectHead, size int64) Array {
	var a struct {
		DType string  `json:"dtype"`
		Shape []int64 `json:"shape"`
	}
	_ = json.Unmarshal(h.body, &a) // one that does not describe itself is listed with its size alone
	return Array{Name: name, DType: a.DType[:min(len(a.DType), maxKind)], Shape: a.Shape[:min(len(a.Shape), maxShape)], Object: id,
		Bytes: size}
}

// size returns the bytes of an object and of all that it consists of.
func (d *described) size(id string) (n int64) {
	if n, ok := d.sizes[id]; ok {
		return n
	}
	seen := map[string]bool{}
	for todo := []string{id}; len(todo) > 0; {
		next := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[next] {
			continue
		}
		seen[next] = true
		n += d.heads[next].size
		for _, c := range d.below[next] {
			todo = append(todo, c.GetObjectId())
		}
	}
	d.sizes[id] = n
	return n
}
