package catalog

import (
	"archive/zip"
	"context"
	"slices"
	"strings"
)

// Change says what became of a file between two versions.
type Change string

// Changes of files.
const (
	FileAdded   Change = "added"
	FileRemoved Change = "removed"
	FileChanged Change = "changed"
)

// FileDiff is one file that differs between two versions.
type FileDiff struct {
	Path           string
	Change         Change
	OldSize        int64
	NewSize        int64
	Binary         bool // on either side: no lines
	Large          bool // on either side: no lines
	Added, Removed int
	Special        int // characters that one does not see, shown by their number
	Parts          []Part
}

// Part is a stretch of lines: around a change, or unchanged ones to fold away.
type Part struct {
	Folded bool
	Lines  []Line
}

// Diff is what differs between two versions of an app.
type Diff struct {
	Files []FileDiff
	Same  int  // files that do not differ
	Cut   bool // more differs than is shown line by line
}

const (
	contextLines = 3      // unchanged lines around a change
	maxDiff      = 20_000 // lines of a whole comparison
)

// Diff compares an older version of an app with a newer one, each by its hash.
func (s *Service) Diff(ctx context.Context, older, newer string) (Diff, error) {
	a, err := s.unpack(ctx, older)
	if err != nil {
		return Diff{}, err
	}
	b, err := s.unpack(ctx, newer)
	if err != nil {
		return Diff{}, err
	}
	return compare(a, b)
}

func compare(a, b *zip.Reader) (Diff, error) {
	var d Diff
	left := maxDiff
	for _, name := range names(a, b) {
		f, same, err := compareFile(name, member(a, name), member(b, name))
		if err != nil {
			return d, err
		}
		if same {
			d.Same++
			continue
		}
		n := 0
		for _, p := range f.Parts {
			n += len(p.Lines)
		}
		if left -= n; left < 0 {
			f.Parts, f.Large, d.Cut, left = nil, true, true, left+n
		}
		d.Files = append(d.Files, f)
	}
	return d, nil
}

// names are the paths of both, without Flower's list of hashes, which follows from the files.
func names(of ...*zip.Reader) []string {
	var out []string
	for _, z := range of {
		for _, f := range files(z) {
			if f.Name != contentList {
				out = append(out, f.Name)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func compareFile(name string, a, b *zip.File) (d FileDiff, same bool, err error) {
	d = FileDiff{Path: name, Change: FileChanged}
	var oldText, newText side
	if a == nil {
		d.Change = FileAdded
	} else if oldText, err = readSide(a); err != nil {
		return d, false, err
	}
	if b == nil {
		d.Change = FileRemoved
	} else if newText, err = readSide(b); err != nil {
		return d, false, err
	}
	if d.Change == FileChanged && oldText.body == newText.body {
		return d, true, nil
	}
	d.OldSize, d.NewSize = int64(len(oldText.body)), int64(len(newText.body))
	d.Binary, d.Large = oldText.binary || newText.binary, oldText.large || newText.large
	if !d.Binary && !d.Large {
		d.lines(compareLines(oldText.lines, newText.lines))
	}
	return d, false, nil
}

// side is one version of a file that is compared.
type side struct {
	body          string
	lines         []string
	binary, large bool
}

func readSide(f *zip.File) (side, error) {
	body, all, err := readMember(f, maxUnzipped)
	t := side{body: string(body), binary: isBinary(body, all)}
	if t.large = len(body) > MaxShown; t.binary || t.large {
		return t, err
	}
	t.lines = strings.SplitAfter(t.body, "\n") // with their ends: a missing last one is a difference
	if t.lines[len(t.lines)-1] == "" {
		t.lines = t.lines[:len(t.lines)-1]
	}
	t.large = len(t.lines) > MaxShownLines
	return t, err
}

// lines counts what changed and folds what did not.
func (d *FileDiff) lines(all []Line) {
	keep := make([]bool, len(all))
	for i, l := range all {
		if l.Op == Same {
			continue
		}
		if l.Op == Added {
			d.Added++
		} else {
			d.Removed++
		}
		for k := max(i-contextLines, 0); k <= min(i+contextLines, len(all)-1); k++ {
			keep[k] = true
		}
	}
	for i, l := range all {
		text, ended := strings.CutSuffix(l.Text, "\n")
		var n int
		if l.Text, n = visible(text); !ended && l.Op != Same {
			l.Text += " (no line end)"
		}
		d.Special += n
		if len(d.Parts) == 0 || d.Parts[len(d.Parts)-1].Folded == keep[i] {
			d.Parts = append(d.Parts, Part{Folded: !keep[i]})
		}
		p := &d.Parts[len(d.Parts)-1]
		p.Lines = append(p.Lines, l)
	}
}

// Compare compares two versions of an app by their FABs. Without an older one, all files are added.
func Compare(older, newer []byte) (Diff, error) {
	b, err := openZip(newer)
	if err != nil {
		return Diff{}, err
	}
	a := &zip.Reader{}
	if len(older) > 0 {
		if a, err = openZip(older); err != nil {
			return Diff{}, err
		}
	}
	return compare(a, b)
}
