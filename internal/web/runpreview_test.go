package web

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

// FuzzPreview looks at a file under each of the endings that are read in their own way.
func FuzzPreview(f *testing.F) {
	head := `{"__metadata__":{"a":"b"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}`
	f.Add([]byte(string(binary.LittleEndian.AppendUint64(nil, uint64(len(head)))) + head + "xxxx"))
	f.Add(binary.LittleEndian.AppendUint64(nil, 1<<63))
	for _, text := range []string{"", "a,b\n1,\"2\n3\"\n", "a\tb\n", `{"a":[1,{"b":null}]}`, "[[[[[[", "x\xc3", "\x89PNG\r\n\x1a\n", "\xff\xfe\x00", "\"\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, name := range []string{"a.safetensors", "a.json", "a.csv", "a.tsv", "a.txt"} {
			p := preview{path: name, size: int64(len(data))}
			if err := p.look(bytes.NewReader(data)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if len(p.text) > 4*maxPreview {
				t.Errorf("%s shows %d bytes", name, len(p.text))
			}
			for _, row := range p.rows {
				for _, cell := range row {
					if len(cell) > maxCellShown+len("…") {
						t.Errorf("%s has a cell of %d bytes", name, len(cell))
					}
				}
			}
			if name != "a.json" && !utf8.ValidString(p.text) {
				t.Errorf("%s shows bytes that are no text", name)
			}
		}
	})
}
