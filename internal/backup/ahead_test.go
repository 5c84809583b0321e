package backup

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func TestReadingAheadPassesOnBytesAndErrors(t *testing.T) {
	content := noise(3*aheadBlock + 17)
	for _, want := range []error{nil, io.ErrUnexpectedEOF, errors.New("the disk is gone")} {
		var r io.Reader = bytes.NewReader(content)
		if want != nil {
			r = io.MultiReader(r, iotest.ErrReader(want))
		}
		a := readAhead(iotest.HalfReader(r))
		got, err := io.ReadAll(a)
		if !errors.Is(err, want) || !bytes.Equal(got, content) {
			t.Errorf("%d of %d bytes and %v, want %v", len(got), len(content), err, want)
		}
		a.stop()
	}
	a := readAhead(bytes.NewReader(content)) // it is stopped while blocks wait
	if _, err := a.Read(make([]byte, 10)); err != nil {
		t.Error(err)
	}
	a.stop()
}
