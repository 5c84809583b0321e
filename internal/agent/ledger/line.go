package ledger

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A line is the entry's JSON object with its own hash as the last member: the SHA-256 of the object without that member.
const (
	hashKey   = `,"hash":"`
	hashTail  = len(hashKey) + 2*sha256.Size + len(`"}`)
	maxLine   = 128 << 20 // a reply has at most 16 MB of object ids
	noHash    = "0000000000000000000000000000000000000000000000000000000000000000"
	readAhead = 64 << 10
)

// write returns the line of an entry, without its line feed, and sets the entry's hash.
func (e *Entry) write() ([]byte, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("writing an entry: %w", err)
	}
	sum := sha256.Sum256(body)
	e.Hash = hex.EncodeToString(sum[:])
	return append(body[:len(body)-1], hashKey+e.Hash+`"}`...), nil
}

// read takes a line apart. It returns false for a line that is not as it was written.
func (e *Entry) read(line []byte) bool {
	at := len(line) - hashTail
	if at < 1 || !bytes.HasPrefix(line[at:], []byte(hashKey)) || !bytes.HasSuffix(line, []byte(`"}`)) {
		return false
	}
	body := append(bytes.Clone(line[:at]), '}')
	sum := sha256.Sum256(body)
	e.Hash = hex.EncodeToString(sum[:])
	if string(line[at+len(hashKey):len(line)-2]) != e.Hash {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(body))
	return d.Decode(e) == nil && !d.More()
}

// lines hands on the lines of a file. rest is what follows the last line feed.
func lines(r io.Reader, take func(line []byte) error) (rest []byte, err error) {
	in := bufio.NewReaderSize(r, readAhead)
	for {
		var line []byte
		for {
			part, err := in.ReadSlice('\n')
			line = append(line, part...)
			if len(line) > maxLine {
				return nil, &Broken{Rule: RuleLine, Why: fmt.Sprintf("a line of more than %d MB", maxLine>>20)}
			}
			if err == nil {
				break
			}
			if errors.Is(err, io.EOF) {
				return line, nil
			}
			if !errors.Is(err, bufio.ErrBufferFull) {
				return nil, err
			}
		}
		if err := take(line[:len(line)-1]); err != nil {
			return nil, err
		}
	}
}

// isHash reports whether s has the form of a hash.
func isHash(s string) bool {
	return len(s) == 2*sha256.Size && strings.Trim(s, "0123456789abcdef") == ""
}
