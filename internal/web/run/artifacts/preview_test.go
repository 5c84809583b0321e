package artifacts

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf8"
)

// A small JSON file that its layout would make gigabytes of is not laid out.
func TestDeepJSONIsNotLaidOut(t *testing.T) {
	deep := strings.Repeat("[", 9000) + strings.Repeat("1,", 800_000) + "1" + strings.Repeat("]", 9000)
	p := preview{path: "x.json", size: int64(len(deep))}
	if err := p.look(bytes.NewReader([]byte(deep))); err != nil || p.kind != "text" || len(p.text) > maxPreview {
		t.Errorf("%s with %d bytes, %v", p.kind, len(p.text), err)
	}
	flat := `{"a":[1,2,{"b":"[[[[\"[["}]}`
	p = preview{path: "x.json", size: int64(len(flat))}
	if err := p.look(bytes.NewReader([]byte(flat))); err != nil || p.kind != "JSON" || !strings.Contains(p.text, "\n      \"b\"") {
		t.Errorf("%s %q, %v", p.kind, p.text, err)
	}
}

// Only a header that a tensor can have is shown as tensors: no count is negative, and no row is left of one that is refused.
func TestShapesThatNoTensorHas(t *testing.T) {
	for header, want := range map[string]string{
		`{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}`:                                                                     "safetensors, 1 tensor, 6 numbers",
		`{"w":{"dtype":"F32","shape":[0,9223372036854775807],"data_offsets":[0,0]}}`:                                                    "safetensors, 1 tensor, 0 numbers",
		`{"w":{"dtype":"F32","shape":[-2,3],"data_offsets":[0,24]}}`:                                                                    "binary",
		`{"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,24]}}`:                                                   "binary",
		`{"w":{"dtype":"F32","shape":[2],"data_offsets":[24,0]}}`:                                                                       "binary",
		`{"a":{"dtype":"F32","shape":[9223372036854775807],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,1]}}`: "binary",
	} {
		data := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
		p := preview{path: "m.safetensors", size: int64(len(data))}
		if err := p.look(bytes.NewReader(data)); err != nil || p.kind != want || want == "binary" && len(p.rows) > 0 {
			t.Errorf("%s: %q with %d rows, %v", header, p.kind, len(p.rows), err)
		}
	}
}

// endings are those that are read in their own way.
var endings = []string{"a.safetensors", "a.json", "a.csv", "a.tsv", "a.txt"}

// FuzzPreview looks at a file under one of the endings.
func FuzzPreview(f *testing.F) {
	head := `{"__metadata__":{"a":"b"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}`
	texts := []string{string(binary.LittleEndian.AppendUint64(nil, uint64(len(head)))) + head + "xxxx", string(binary.LittleEndian.AppendUint64(nil, 1<<63))}
	for _, text := range append(texts, "", "a,b\n1,\"2\n3\"\n", "a\tb\n", `{"a":[1,{"b":null}]}`, "[[[[[[", "x\xc3", "\x89PNG\r\n\x1a\n", "\xff\xfe\x00", "\"\n") {
		for i := range endings {
			f.Add([]byte(text), uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, ending uint8) {
		name := endings[int(ending)%len(endings)]
		p := preview{path: name, size: int64(len(data))}
		if err := p.look(bytes.NewReader(data)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(p.text) > 4*maxPreview {
			t.Errorf("%s shows %d bytes", name, len(p.text))
		}
		for n, row := range p.rows {
			for i, cell := range row {
				if len(cell) > maxCellShown+len("…") {
					t.Errorf("%s has a cell of %d bytes", name, len(cell))
				}
				if name == "a.safetensors" && n > 0 && i > 2 && strings.HasPrefix(cell, "-") {
					t.Errorf("a tensor with %s numbers or bytes", cell)
				}
			}
		}
		if name != "a.json" && !utf8.ValidString(p.text) {
			t.Errorf("%s shows bytes that are no text", name)
		}
	})
}
