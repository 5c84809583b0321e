package applog

import (
	"regexp"
	"strconv"
	"strings"
)

// maxRound is the largest number that counts as a round.
const maxRound = 1_000_000_000

var (
	// "[ROUND 1/3]", "Starting round 1/3", "=== Round 1 of 3 ===", "2026-11-24 10:00 - app - Round: 1 / 3": with a total, anywhere.
	roundOfTotal = regexp.MustCompile(`(?i)(?:\b|_)round[\s_:#=\[(-]*(\d{1,9})[\s\])]*(?:/|of|out of)[\s\[(]*(\d{1,9})\b`)
	// "[ROUND 1]", "--- Round 1 ---", "Starting training round 1", "Server round 1 finished": without one, at the beginning of a line.
	roundAlone = regexp.MustCompile(`(?i)^(?:[^\pL\pN]{0,20}(?:starting|start(?:ed)?|start of|begin(?:ning)?|running|entering|executing|` +
		`the|new|fl|federated|federation|global|server|communication|comm|training|learning|aggregation))*[^\pL\pN]{0,20}\bround[\s_:#=\[(-]*(\d{1,9})(?:[^\pL\pN./]|\.?$|\.\D)`)
	startsFromZero = regexp.MustCompile(`(?i)initial|baseline|evaluat`)
)

// RoundSaid reads which round a line says that the app is in, and of how many; total is 0 where it does not say.
func RoundSaid(text string) (n, total int, ok bool) {
	if len(text) > 1000 {
		return 0, 0, false
	}
	m := roundOfTotal.FindStringSubmatch(text)
	if m == nil {
		m = roundAlone.FindStringSubmatch(text)
	}
	if m == nil {
		return 0, 0, false
	}
	n, _ = strconv.Atoi(m[1]) // the patterns give at most nine digits
	if len(m) > 2 {
		total, _ = strconv.Atoi(m[2])
		if n > total || n == 0 && startsFromZero.MatchString(text) {
			return 0, 0, false
		}
	}
	return n, total, n > 0 || total > 0
}

// says takes in that a line names a round. It reports false for a number that is no round's: where neither Flower itself nor a total vouches
// for it, rounds come one by one.
func (p *Parser) says(n, total int, flower bool) bool {
	if total == 0 && !flower && n > p.said+1 {
		return false
	}
	if flower && n == 1 && p.said > 1 { // another strategy begins: its rounds are further rounds of the run
		p.base = p.round
	}
	if total > 0 {
		p.rounds = p.base + total
		switch n {
		case 0:
			p.fromZero = true
		case total:
			p.fromZero = false // the last of those that count from 0 is total-1
		}
		if p.fromZero {
			n++
		}
	}
	if !flower {
		n = max(n, p.said) // "best of all in round 2 of 5"
	}
	p.said, p.round = n, p.base+n
	return true
}

// flowerRound reports whether a line is a strategy's own.
func flowerRound(text string) bool { return strings.HasPrefix(text, "[ROUND ") }
