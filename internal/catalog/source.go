package catalog

import (
	"archive/zip"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"blossomtune/internal/domain"
)

// Bounds of what is shown of a file; the FAB has all of it.
const (
	MaxShown      = 512 << 10
	MaxShownLines = 5000
	maxLine       = 1000 // characters
)

// File is one file of an app.
type File struct {
	Path string
	Size int64
}

// Text is a file as it is shown.
type Text struct {
	File
	Lines   []string
	Binary  bool // no text: nothing of it is shown
	Cut     bool // more of it than is shown
	Special int  // characters that one does not see, shown by their number
}

// Source returns the files of an app version, in the order of their paths.
func (s *Service) Source(ctx context.Context, hash string) ([]File, error) {
	z, err := s.unpack(ctx, hash)
	if err != nil {
		return nil, err
	}
	out := []File{}
	for _, f := range files(z) {
		out = append(out, File{f.Name, int64(f.UncompressedSize64)})
	}
	return out, nil
}

// Text returns one file of an app version as it is shown.
func (s *Service) Text(ctx context.Context, hash, path string) (Text, error) {
	z, err := s.unpack(ctx, hash)
	if err != nil {
		return Text{}, err
	}
	f := member(z, path)
	if f == nil {
		return Text{}, domain.Errorf(domain.NotFound, "This app version has no file %q.", path).Fix("Choose one of its files.")
	}
	return shown(f)
}

func (s *Service) unpack(ctx context.Context, hash string) (*zip.Reader, error) {
	a, err := s.FAB(ctx, hash)
	if err != nil {
		return nil, err
	}
	z, err := openZip(a.FAB)
	if err != nil { // kept before FABs were checked so
		return nil, domain.Errorf(domain.Invalid, "The FAB of this version cannot be opened.").Fix("Download it to look at it.").Because(err)
	}
	return z, nil
}

func files(z *zip.Reader) []*zip.File {
	var out []*zip.File
	for _, f := range z.File {
		if !f.FileInfo().IsDir() {
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func shown(f *zip.File) (Text, error) {
	t := Text{File: File{f.Name, int64(f.UncompressedSize64)}}
	body, all, err := readMember(f, MaxShown)
	if err != nil {
		return t, err
	}
	t.Cut = !all
	if t.Binary = isBinary(body, all); t.Binary {
		return t, nil
	}
	t.Lines = lines(string(body))
	if len(t.Lines) > MaxShownLines {
		t.Lines, t.Cut = t.Lines[:MaxShownLines], true
	}
	for i, line := range t.Lines {
		var n int
		t.Lines[i], n = visible(line)
		t.Special += n
	}
	return t, nil
}

// isBinary reports whether a file is no UTF-8 text. One that is cut may end in the middle of a character.
func isBinary(body []byte, all bool) bool {
	if !all {
		body = body[:max(len(body)-utf8.UTFMax, 0)]
		for len(body) > 0 && !utf8.RuneStart(body[len(body)-1]) {
			body = body[:len(body)-1]
		}
		body = body[:max(len(body)-1, 0)]
	}
	return strings.ContainsRune(string(body), 0) || !utf8.Valid(body)
}

func lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}

// visible shows what one would not see: characters that turn the direction of text, have no width or move the cursor can make
// code look like something that it is not. A line that is too long is cut, and says so.
func visible(line string) (string, int) {
	n := 0
	if rest, cr := strings.CutSuffix(line, "\r"); cr {
		line = rest + "␍"
	}
	if strings.ContainsFunc(line, unseen) {
		var b strings.Builder
		for _, r := range line {
			if unseen(r) {
				n++
				fmt.Fprintf(&b, "‹U+%04X›", r)
				continue
			}
			b.WriteRune(r)
		}
		line = b.String()
	}
	if more := utf8.RuneCountInString(line) - maxLine; more > 0 {
		line = fmt.Sprintf("%s … (%d more characters)", string([]rune(line)[:maxLine]), more)
	}
	return line, n
}

func unseen(r rune) bool {
	return r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' || r == '\u3164' ||
		r == '\u115f' || r == utf8.RuneError)
}
