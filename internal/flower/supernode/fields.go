package supernode

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// wireField is the head of a protobuf field: a number with its value, or the size of the bytes that follow.
type wireField struct {
	num   protowire.Number
	kind  protowire.Type
	value uint64
	size  int64
}

// fieldReader reads the fields of a protobuf message without holding their bytes in memory.
type fieldReader struct{ r *bufio.Reader }

// next reads the head of the next field; io.EOF at the end of the message. The caller reads or skips the bytes of the field.
func (f fieldReader) next() (wireField, error) {
	tag, err := f.varint()
	if err != nil {
		return wireField{}, err
	}
	num, kind := protowire.DecodeTag(tag)
	out := wireField{num: num, kind: kind}
	if num < 1 {
		return out, errors.New("a protobuf field without a number")
	}
	switch kind {
	case protowire.VarintType:
		out.value, err = f.varint()
	case protowire.BytesType:
		var n uint64
		n, err = f.varint()
		if out.size = int64(n); out.size < 0 {
			err = errors.New("a protobuf field of impossible size")
		}
	case protowire.Fixed64Type:
		out.size = 8
	case protowire.Fixed32Type:
		out.size = 4
	default:
		err = fmt.Errorf("a protobuf field of kind %d", kind)
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return out, err
}

// varint returns io.EOF only where a field may end.
func (f fieldReader) varint() (uint64, error) {
	var v uint64
	for shift := 0; shift < 64; shift += 7 {
		b, err := f.r.ReadByte()
		if err != nil {
			if shift > 0 && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v, nil
		}
	}
	return 0, errors.New("a protobuf number that is too long")
}

// skip passes over the bytes of a field.
func (f fieldReader) skip(w wireField) error {
	if w.size == 0 {
		return nil
	}
	if _, err := io.CopyN(io.Discard, f.r, w.size); err != nil {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// text reads the bytes of a field that has at most most of them.
func (f fieldReader) text(w wireField, most int64) (string, error) {
	if w.kind != protowire.BytesType || w.size > most {
		return "", fmt.Errorf("a protobuf text of %d bytes", w.size)
	}
	b := make([]byte, w.size)
	if _, err := io.ReadFull(f.r, b); err != nil {
		return "", io.ErrUnexpectedEOF
	}
	return string(b), nil
}
