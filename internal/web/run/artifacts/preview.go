package artifacts

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/bits"
	"net/http"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

const (
	maxPreview      = 256 << 10 // of a file that is shown
	maxJSON         = 2 << 20   // of a JSON file that is laid out
	maxRows         = 100
	maxColumnsShown = 40
	maxCellShown    = 200
	maxImage        = 20 << 20
	maxHeader       = 4 << 20 // of safetensors
)

// preview is what is shown of an artifact: a text, rows, or an image.
type preview struct {
	fed      domain.Federation
	run      domain.Run
	path     string
	size     int64
	download string
	kind     string
	note     string // what is not shown, and why
	text     string
	rows     [][]string
	image    bool
}

// contents is an artifact that is looked at.
type contents interface {
	io.Reader
	io.ReaderAt
}

// images are the types that a browser draws and never runs. SVG is none of them: it can hold scripts.
var images = []string{"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"}

// Preview is a page with what is in one of the files that a ServerApp wrote.
func (s *Pages) Preview(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	run, err := s.Run(r.Context(), r, v)
	if err != nil {
		return err
	}
	name := r.PathValue("path")
	f, err := s.Runs.OpenArtifact(r.Context(), run, name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	p := preview{fed: v.Fed, run: run, path: name, size: info.Size(), download: "/f/" + v.Fed.Slug + "/runs/" + run.Name + "/artifacts/" +
		ui.EscapePath(name)}
	if err := p.look(f); err != nil {
		return err
	}
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: name + " · " + run.Name, Nav: "f"}, artifactPage(p))
	return nil
}

// look finds out by its content what a file is, and reads what is shown of it.
func (p *preview) look(f contents) error {
	head := make([]byte, min(p.size, maxPreview))
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return err
	}
	head = head[:n]
	ending := strings.ToLower(path.Ext(p.path))
	sniffed := http.DetectContentType(head)
	switch {
	case n == 0:
		p.kind, p.note = "empty", "The file is empty."
	case slices.Contains(images, sniffed) && p.size <= maxImage:
		p.kind, p.image = sniffed, true
	case slices.Contains(images, sniffed):
		p.kind, p.note = sniffed, "The image is too large to be shown here."
	case ending == ".safetensors" && p.tensors(f):
	case ending == ".json" && p.size <= maxJSON && p.json(f):
	case (ending == ".csv" || ending == ".tsv") && isText(head) && p.table(head, ending):
	case isText(head):
		p.kind, p.text = "text", string(bytes.ToValidUTF8(head, []byte("?")))
		if p.size > int64(n) {
			p.note = fmt.Sprintf("The first %s of %s.", ui.Size(int64(n)), ui.Size(p.size))
		}
	default:
		p.kind, p.note = "binary", "There is nothing to show of this kind of file: download it."
	}
	return nil
}

// isText reports whether a file's beginning can be read as text.
func isText(head []byte) bool {
	if bytes.IndexByte(head, 0) >= 0 {
		return false
	}
	for cut := 0; cut < utf8.UTFMax && cut < len(head); cut++ { // the last letter may be cut off
		if utf8.Valid(head[:len(head)-cut]) {
			return true
		}
	}
	return false
}

func (p *preview) json(f contents) bool {
	all, err := io.ReadAll(io.NewSectionReader(f, 0, maxJSON))
	var out bytes.Buffer
	if err != nil || indentedSize(all) > maxIndented || json.Indent(&out, all, "", "  ") != nil {
		return false
	}
	p.kind, p.text = "JSON", out.String()
	if out.Len() > maxPreview {
		p.text, p.note = domain.Cut(p.text, maxPreview), "Only its beginning is shown."
	}
	return true
}

// maxIndented bounds what a JSON file becomes: each line repeats the depth of its nesting, so that two megabytes could become gigabytes.
const maxIndented = 16 << 20

// indentedSize is about how many bytes json.Indent makes of a text; beyond maxIndented it counts no further.
func indentedSize(text []byte) int {
	size, depth := len(text), 0
	for i := 0; i < len(text) && size <= maxIndented; i++ {
		switch text[i] {
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
			size += 1 + 2*depth
		case '}', ']':
			depth = max(depth-1, 0)
			size += 1 + 2*depth
		case ',':
			size += 1 + 2*depth
		}
	}
	return size
}

func (p *preview) table(head []byte, ending string) bool {
	r := csv.NewReader(bytes.NewReader(head))
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	if ending == ".tsv" {
		r.Comma = '\t'
	}
	wide, more := 0, p.size > int64(len(head))
	for len(p.rows) <= maxRows {
		row, err := r.Read()
		if err != nil {
			break
		}
		wide = max(wide, len(row))
		row = row[:min(len(row), maxColumnsShown)]
		for i, cell := range row {
			row[i] = shortCell(cell)
		}
		p.rows = append(p.rows, row)
	}
	if _, err := r.Read(); err == nil {
		more = true
	}
	if len(p.rows) == 0 {
		return false
	}
	p.kind = ui.Plural(wide, "column", "columns")
	if more {
		p.note = fmt.Sprintf("The first %d rows.", len(p.rows)-1)
	}
	if wide > maxColumnsShown {
		p.note = strings.TrimSpace(p.note + fmt.Sprintf(" %d of %d columns.", maxColumnsShown, wide))
	}
	return true
}

func shortCell(text string) string {
	if len(text) > maxCellShown {
		return domain.Cut(text, maxCellShown) + "…"
	}
	return text
}

// tensors lists what is in a safetensors file from its header alone (8 bytes length, then JSON).
func (p *preview) tensors(f contents) bool {
	var size8 [8]byte
	if _, err := f.ReadAt(size8[:], 0); err != nil {
		return false
	}
	n := binary.LittleEndian.Uint64(size8[:])
	if n < 2 || n > maxHeader || int64(n)+8 > p.size {
		return false
	}
	text := make([]byte, n)
	if _, err := f.ReadAt(text, 8); err != nil {
		return false
	}
	header := map[string]json.RawMessage{}
	if json.Unmarshal(text, &header) != nil {
		return false
	}
	var names []string
	for name := range header {
		if name != "__metadata__" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	rows := [][]string{{"tensor", "type", "shape", "numbers", "bytes"}}
	var total int64
	for i, name := range names {
		var t struct {
			DType   string   `json:"dtype"`
			Shape   []int64  `json:"shape"`
			Offsets [2]int64 `json:"data_offsets"`
		}
		if json.Unmarshal(header[name], &t) != nil {
			return false
		}
		count, ok := numbersIn(t.Shape)
		if total += count; !ok || total < 0 || t.Offsets[0] < 0 || t.Offsets[1] < t.Offsets[0] {
			return false
		}
		if i < 10*maxRows {
			rows = append(rows, []string{shortCell(name), shortCell(t.DType), shortCell(fmt.Sprint(t.Shape)), ui.Itoa64(count),
				ui.Size(t.Offsets[1] - t.Offsets[0])})
		}
	}
	p.rows, p.kind = rows, fmt.Sprintf("safetensors, %s, %d numbers", ui.Plural(len(names), "tensor", "tensors"), total)
	if len(names) > 10*maxRows {
		p.note = fmt.Sprintf("The first %d tensors.", 10*maxRows)
	}
	return true
}

// numbersIn returns how many numbers a tensor has; it reports false for a shape that no tensor has.
func numbersIn(shape []int64) (count int64, ok bool) {
	count = 1
	for _, d := range shape {
		if d < 0 {
			return 0, false
		}
		over, low := bits.Mul64(uint64(count), uint64(d))
		if over != 0 || low > math.MaxInt64 {
			return 0, false
		}
		count = int64(low)
	}
	return count, true
}
