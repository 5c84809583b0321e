package store

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"blossomtune/internal/domain"
)

// personWords are what means a person in texts, and what stands there instead. Upper and lower case are the same, in all scripts; SQLite
// compares so for ASCII alone, therefore texts are compared here.
type personWords struct {
	label     string
	nobody    string       // an address in place of theirs, which nobody can have
	names     []string     // addresses, names and logins, see simple
	addresses []string     // likewise
	words     []personWord // addresses and names, the longest first: a login may be a common word
	quick     []string     // the names, also as JSON has them
}

// personWord is one of them, for looking inside texts.
type personWord struct {
	pattern *regexp.Regexp
	address bool
	length  int
}

// newPersonWords takes a person's names and addresses, the names of their accounts elsewhere, and the organisations that are written behind
// their name.
func newPersonWords(id int64, names, logins, organisations []string) (personWords, error) {
	p := personWords{label: domain.ErasedLabel(id), nobody: domain.ErasedPersonRef(id) + "@invalid"}
	for i, name := range slices.Concat(names, logins) {
		quoted, err := asJSON(name)
		if err != nil {
			return p, err
		}
		inJSON := strings.Trim(quoted, `"`)
		p.names, p.quick = append(p.names, simple(name)), append(p.quick, simple(name), simple(inJSON))
		if i >= len(names) {
			continue
		}
		address := strings.Contains(name, "@")
		if address {
			p.addresses = append(p.addresses, simple(name))
		}
		p.look(name, address)
		if inJSON != name {
			p.look(inJSON, address)
		}
		for _, o := range organisations {
			p.look(name+", "+o, false)
		}
	}
	slices.SortStableFunc(p.words, func(a, b personWord) int { return cmp.Compare(b.length, a.length) })
	return p, nil
}

// look makes a text a word that is looked for.
func (p *personWords) look(text string, address bool) {
	p.words = append(p.words, personWord{regexp.MustCompile("(?i)" + spaced(text)), address, len(text)})
}

// spaced is the pattern of a text in which any space may stand where it has one.
func spaced(text string) string {
	parts := strings.Fields(text)
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return strings.Join(parts, `\s+`)
}

// simple is a text in lower case with single spaces.
func simple(text string) string { return strings.ToLower(strings.Join(strings.Fields(text), " ")) }

// maybe reports whether some of the texts, plain or as JSON, could mean the person; it is quick.
func (p personWords) maybe(texts ...string) bool {
	for _, text := range texts {
		lower := simple(text)
		if slices.ContainsFunc(p.quick, func(q string) bool { return strings.Contains(lower, q) }) {
			return true
		}
	}
	return false
}

// eraseAddress replaces the person's addresses anywhere in a text.
func (p personWords) eraseAddress(text string) string { return p.erase(text, true) }

// eraseWords replaces the person's names and addresses anywhere in a text, where they are whole words. It is for texts of ours that name
// people: in what people write, a name may be a common word.
func (p personWords) eraseWords(text string) string { return p.erase(text, false) }

// named reports whether a JSON text names the person, in a text of its own or within one.
func (p personWords) named(inJSON string) bool {
	lower := simple(inJSON)
	return p.maybe(inJSON) && (p.eraseWords(inJSON) != inJSON ||
		slices.ContainsFunc(p.quick, func(q string) bool { return strings.Contains(lower, `"`+q+`"`) }))
}

// mark stands for the label meanwhile, so that words are not looked for in the label. No stored text has it.
const mark = "\x00"

func (p personWords) erase(text string, addresses bool) string {
	for _, w := range p.words {
		if w.address || !addresses {
			text = w.replace(text)
		}
	}
	return strings.ReplaceAll(text, mark, p.label)
}

func (w personWord) replace(text string) string {
	var out strings.Builder
	last := 0
	for _, at := range w.pattern.FindAllStringIndex(text, -1) {
		if w.whole(text[:at[0]], text[at[1]:]) {
			out.WriteString(text[last:at[0]] + mark)
			last = at[1]
		}
	}
	out.WriteString(text[last:])
	return out.String()
}

// whole reports whether what stands between two texts is a word, not a part of a longer one, of an address or of a path.
func (w personWord) whole(before, after string) bool {
	b, n := utf8.DecodeLastRuneInString(before)
	if n > 0 && (inWord(b) || strings.ContainsRune("._+-", b) || b == '/' && !w.address) {
		return false
	}
	a, n := utf8.DecodeRuneInString(after)
	if n > 0 && (inWord(a) || a == '-' || !w.address && strings.ContainsRune("_@/", a)) {
		return false
	}
	next, more := utf8.DecodeRuneInString(after[n:])
	return a != '.' || more == 0 || !inWord(next)
}

func inWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }

// nameForms are how a text names a person: alone, as the one who approved a request by an invitation, or as the one who stopped a run.
var nameForms = [][2]string{{"", ""}, {"invitation by ", ""}, {"Stopped by ", "."}}

// eraseName replaces the person in a text that names somebody and says nothing else.
func (p personWords) eraseName(text string) string {
	for _, form := range nameForms {
		name, found := strings.CutPrefix(text, form[0])
		if name, ended := strings.CutSuffix(name, form[1]); found && ended && p.mean(name) {
			return form[0] + p.label + form[1]
		}
	}
	return p.eraseAddress(text)
}

// mean reports whether a name is the person's, also where they used an API token: "Ann Other (token laptop)".
func (p personWords) mean(name string) bool {
	lower := simple(name)
	if slices.Contains(p.names, lower) {
		return true
	}
	user, _, byToken := strings.Cut(lower, " (token ")
	return byToken && strings.HasSuffix(lower, ")") && slices.Contains(p.names, user)
}
