package onboarding

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"blossomtune/internal/domain"
)

// shownBad is how many bad addresses of a list an error names.
const shownBad = 5

// parseEmails reads a pasted or uploaded list of addresses, each once, with one error that names everything in it that is not an address.
func parseEmails(text string) (out []string, errs domain.Errors) {
	seen, bad := map[string]bool{}, []string{}
	rows := cells(text, ",;\t")
	for _, separator := range []string{"\t", ";", ","} {
		table := cells(text, separator)
		if column, header := addressColumn(table); column >= 0 {
			rows = onlyColumn(table, column, header)
			break
		}
	}
	if len(rows) > 1 && len(rows[0]) == 1 && isHeader(rows[0][0]) {
		rows[0] = nil
	}
	skipped := strings.Count(text[:len(text)-len(strings.TrimLeft(text, " \t\r\n\ufeff"))], "\n")
	for n, row := range rows {
		for _, part := range addressesIn(row) {
			email, err := domain.NormalEmail(part)
			if err != nil {
				bad = append(bad, fmt.Sprintf("line %d: %s", skipped+n+1, shorten(part)))
			} else if !seen[email] {
				seen[email] = true
				out = append(out, email)
			}
		}
	}
	switch {
	case len(bad) > 0:
		more := ""
		if len(bad) > shownBad {
			more, bad = fmt.Sprintf(" and %d more", len(bad)-shownBad), bad[:shownBad]
		}
		errs = append(errs, domain.Errorf(domain.Invalid, "Not e-mail addresses: %s%s.", strings.Join(bad, "; "), more).
			Fix("No one has been invited yet. Correct or remove them.").At("emails"))
	case len(out) == 0:
		errs = append(errs, domain.Errorf(domain.Invalid, "The list has no addresses.").Fix("Enter one on each line.").At("emails"))
	case len(out) > domain.MaxImport:
		errs = append(errs, domain.Errorf(domain.Invalid, "The list has %d addresses; %d can be invited at once.", len(out), domain.MaxImport).
			Fix("Split it.").At("emails"))
	}
	return out, errs
}

// cell is what stands between two separators of a line.
type cell struct {
	text   string
	quoted bool // entirely between quotes
	comma  bool // a comma ends it
}

// at reports whether the cell may hold an address.
func (c cell) at() bool { return strings.Contains(c.text, "@") }

// cells splits a list into lines, and those at separators, which do not count between quotes or angle brackets.
func cells(text, separators string) (rows [][]cell) {
	for line := range strings.SplitSeq(domain.FoldWidth(domain.Text(text)), "\n") {
		rows = append(rows, cellsOf(quotes.Replace(line), separators))
	}
	return rows
}

var quotes = strings.NewReplacer("“", `"`, "”", `"`, "„", `"`, "‟", `"`, "«", `"`, "»", `"`)

func cellsOf(line, separators string) (out []cell) {
	var end byte // what ends the part that is held together; 0 outside of one
	start := 0
	add := func(to int, sep byte) {
		text := strings.TrimSpace(line[start:to])
		plain, quoted := unquote(text)
		if plain != "" || sep != 0 || len(out) > 0 {
			out = append(out, cell{text: plain, quoted: quoted, comma: sep == ','})
		}
		start = to + 1
	}
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case end != 0:
			if c == '\\' && end == '"' {
				i++
			} else if c == end {
				end = 0
			}
		case c == '"' && strings.Contains(line[i+1:], `"`):
			end = '"'
		case c == '<' && strings.Contains(line[i+1:], ">"):
			end = '>'
		case strings.IndexByte(separators, c) >= 0:
			add(i, c)
		}
	}
	add(len(line), 0)
	return out
}

// unquote takes the quotes of a table's cell away. A name in quotes before an address keeps them.
func unquote(s string) (string, bool) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s, false
	}
	inner := strings.ReplaceAll(s[1:len(s)-1], `""`, "")
	if strings.Contains(inner, `"`) {
		return s, false
	}
	return strings.TrimSpace(inner), true
}

var headers = []string{"email", "e-mail", "mail", "email address", "e-mail address", "address", "e-mail-adresse", "emailadresse",
	"courriel", "correo", "primary email", "work email"}

func isHeader(c cell) bool {
	return slices.Contains(headers, strings.ToLower(strings.ReplaceAll(c.text, "_", " ")))
}

// addressColumn tells which column of a table holds the addresses, and whether its first line is a header. It is -1 for a list that
// is not a table.
func addressColumn(rows [][]cell) (column int, header bool) {
	if len(rows) > 1 && len(rows[0]) > 1 && !slices.ContainsFunc(rows[0], cell.at) {
		for i, c := range rows[0] {
			if isHeader(c) {
				return i, true
			}
		}
	}
	column, lines, width := -1, 0, 0
	for _, row := range rows {
		if len(row) == 0 {
			continue
		}
		i := slices.IndexFunc(row, cell.at)
		if i < 0 || slices.ContainsFunc(row[i+1:], cell.at) || column >= 0 && (i != column || len(row) != width) {
			return -1, false
		}
		column, width, lines = i, len(row), lines+1
	}
	if lines < 2 || width < 2 {
		return -1, false
	}
	return column, false
}

// onlyColumn leaves one cell in each line of a table: what else a line holds is about the person.
func onlyColumn(rows [][]cell, column int, header bool) [][]cell {
	out := make([][]cell, len(rows))
	for n, row := range rows {
		if column < len(row) && !(header && n == 0) && row[column].text != "" {
			out[n] = row[column : column+1]
		}
	}
	return out
}

var bracketed = regexp.MustCompile(`[<\[(]([^<>\[\]()]*@[^<>\[\]()]*)[>\])]`)

// addressesIn returns what stands for an address in a line, without names around it. What is neither is returned too, as it is.
func addressesIn(row []cell) (out []string) {
	for i, c := range row {
		switch {
		case c.text == "" || !c.at() && isName(row, i):
		case strings.Contains(c.text, "<") && strings.Contains(c.text, ">"):
			for _, m := range bracketed.FindAllStringSubmatch(c.text[strings.Index(c.text, "<"):], -1) {
				out = append(out, m[1])
			}
			if !bracketed.MatchString(c.text) {
				out = append(out, c.text)
			}
		case bracketed.MatchString(c.text):
			for _, m := range bracketed.FindAllStringSubmatch(c.text, -1) {
				out = append(out, m[1])
			}
		default:
			out = append(out, wordsWithAt(c.text)...)
		}
	}
	return out
}

// isName reports whether a cell without an address belongs to the one after it: a quoted name of a table, or the first part of a
// name with a comma, as in "Lovelace, Ada <ada@example.org>".
func isName(row []cell, i int) bool {
	if row[i].quoted {
		return slices.ContainsFunc(row, cell.at)
	}
	for ; row[i].comma && i+1 < len(row); i++ {
		if next := row[i+1].text; row[i+1].at() {
			open := strings.IndexAny(next, "<[(")
			return open > 0
		}
	}
	return false
}

// wordsWithAt returns the words that may be addresses, or the whole text if none may.
func wordsWithAt(text string) (out []string) {
	for _, w := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" ,;\t", r) }) {
		if strings.Contains(w, "@") {
			out = append(out, strings.Trim(w, "()[]{}<>"))
		}
	}
	if len(out) == 0 {
		return []string{text}
	}
	return out
}

func shorten(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}
