package catalog

// Op says what became of a line between two versions.
type Op byte

// Ops of lines.
const (
	Same    Op = ' '
	Removed Op = '-'
	Added   Op = '+'
)

// Line is one line of a comparison, with its number on either side; 0 where it is not there.
type Line struct {
	Op       Op
	Old, New int
	Text     string
}

// maxEdits bounds the search for the shortest way from one text to the other; its memory grows with the square.
const maxEdits = 1200

// compareLines returns both texts as one: what is the same, removed and added. It finds the shortest way (Myers, 1986) up to
// maxEdits; texts that differ more are told as all removed and all added between their common ends.
func compareLines(a, b []string) []Line {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	w := writer{a: a, b: b}
	w.same(head)
	w.follow(shortest(a[head:len(a)-tail], b[head:len(b)-tail]))
	w.same(tail)
	return w.out
}

// writer puts lines out while it walks through both texts.
type writer struct {
	a, b []string
	i, j int
	out  []Line
}

func (w *writer) same(n int) {
	for range n {
		w.out = append(w.out, Line{Same, w.i + 1, w.j + 1, w.a[w.i]})
		w.i, w.j = w.i+1, w.j+1
	}
}

func (w *writer) follow(ops []Op) {
	for _, op := range ops {
		switch op {
		case Same:
			w.same(1)
		case Removed:
			w.out = append(w.out, Line{Removed, w.i + 1, 0, w.a[w.i]})
			w.i++
		default:
			w.out = append(w.out, Line{Added, 0, w.j + 1, w.b[w.j]})
			w.j++
		}
	}
}

// shortest returns the steps from a to b.
func shortest(a, b []string) []Op {
	n, m := len(a), len(b)
	most := min(n+m, maxEdits)
	far := make([]int, 2*most+3) // furthest x on each diagonal, from -most-1 on
	at := most + 1
	var trail [][]int
	for d := 0; d <= most; d++ {
		trail = append(trail, append([]int(nil), far[at-d:at+d+1]...))
		for k := -d; k <= d; k += 2 {
			x := far[at+k-1] + 1
			if k == -d || k != d && far[at+k-1] < far[at+k+1] {
				x = far[at+k+1]
			}
			y := x - k
			for x < n && y < m && a[x] == b[y] {
				x, y = x+1, y+1
			}
			far[at+k] = x
			if x >= n && y >= m {
				return back(trail, d, n, m)
			}
		}
	}
	ops := make([]Op, 0, n+m)
	for range n {
		ops = append(ops, Removed)
	}
	for range m {
		ops = append(ops, Added)
	}
	return ops
}

// back walks the trail from the end to the beginning.
func back(trail [][]int, d, x, y int) []Op {
	var ops []Op
	for ; d > 0; d-- {
		before := trail[d] // as it was before step d; index d is diagonal 0
		get := func(k int) int {
			if k < -d || k > d {
				return -1
			}
			return before[k+d]
		}
		k := x - y
		prev := k - 1
		if k == -d || k != d && get(k-1) < get(k+1) {
			prev = k + 1
		}
		px := get(prev)
		op, after := Removed, px+1 // where the same lines after the edit begin
		if prev == k+1 {
			op, after = Added, px
		}
		for ; x > after; x-- {
			ops = append(ops, Same)
		}
		ops, x, y = append(ops, op), px, px-prev
	}
	for ; x > 0; x-- {
		ops = append(ops, Same)
	}
	for i, j := 0, len(ops)-1; i < j; i, j = i+1, j-1 {
		ops[i], ops[j] = ops[j], ops[i]
	}
	return ops
}
