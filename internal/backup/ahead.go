package backup

import "io"

const (
	aheadBlock  = 1 << 20 // bytes
	aheadBlocks = 4       // that wait to be read
)

// ahead reads from another reader in a goroutine of its own, some blocks before they are asked for: decrypting, decompressing and writing
// then take place side by side. The caller must read to an error or call stop.
type ahead struct {
	blocks chan block
	free   chan []byte
	done   chan struct{}
	now    []byte // what is left of the block in use
	whole  []byte // the block in use
	err    error
}

type block struct {
	b   []byte
	err error
}

func readAhead(r io.Reader) *ahead {
	a := &ahead{blocks: make(chan block, aheadBlocks), free: make(chan []byte, aheadBlocks+2), done: make(chan struct{})}
	for range aheadBlocks + 2 {
		a.free <- make([]byte, aheadBlock)
	}
	go a.fill(r)
	return a
}

func (a *ahead) fill(r io.Reader) {
	defer close(a.blocks)
	for {
		var b []byte
		select {
		case b = <-a.free:
		case <-a.done:
			return
		}
		n, err := 0, error(nil)
		for n < len(b) && err == nil { // not [io.ReadFull], which hides whether the reader itself ended too early
			var more int
			more, err = r.Read(b[n:])
			n += more
		}
		select {
		case a.blocks <- block{b[:n], err}:
		case <-a.done:
			return
		}
		if err != nil {
			return
		}
	}
}

// Read reads what was read ahead.
func (a *ahead) Read(p []byte) (int, error) {
	for len(a.now) == 0 {
		if a.err != nil {
			return 0, a.err
		}
		if a.whole != nil {
			a.free <- a.whole[:cap(a.whole)]
			a.whole = nil
		}
		next, open := <-a.blocks
		if !open {
			return 0, io.ErrUnexpectedEOF
		}
		a.whole, a.now, a.err = next.b, next.b, next.err
	}
	n := copy(p, a.now)
	a.now = a.now[n:]
	return n, nil
}

// stop ends the goroutine and waits for it. Its reader may be used again afterwards.
func (a *ahead) stop() {
	close(a.done)
	for range a.blocks { // until it is closed
	}
}
