package domain

import (
	"net/mail"
	"net/url"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// maxEmail is the longest e-mail address, in bytes (RFC 5321).
const maxEmail = 254

// NormalEmail returns the address in the one form in which it is stored, compared and sent: lower case, its domain in ASCII (xn--…),
// without a display name. It takes what people paste: "mailto:" before it, quotes or angle brackets around it, invisible characters,
// full-width letters, a dot at the end. What is not an address, or longer than 254 bytes, is an [Invalid] error at field "email".
func NormalEmail(s string) (string, error) {
	typed := Line(s)
	bad := Errorf(Invalid, "%q is not an e-mail address.", cutWords(typed, 100)).Fix("Write it like name@example.org.").At("email")
	if len(typed) > 4*maxEmail {
		return "", bad
	}
	local, host, ok := cutLast(bareAddress(typed), "@")
	if !ok || strings.ContainsAny(local, " <>\"@") {
		return "", bad
	}
	host, err := ASCIIHost(host)
	if err != nil || !strings.Contains(host, ".") && host != "localhost" {
		return "", bad
	}
	email := local + "@" + host
	if a, err := mail.ParseAddress(email); err != nil || a.Address != email || len(email) > maxEmail {
		return "", bad
	}
	return email, nil
}

// bareAddress takes away what stands around a pasted address, and makes its letters the usual ones.
func bareAddress(s string) string {
	s = FoldWidth(s)
	if open := strings.LastIndexByte(s, '<'); open >= 0 && strings.HasSuffix(s, ">") {
		s = s[open+1:]
	}
	s = strings.Trim(s, aroundAddress)
	if rest, ok := cutPrefixFold(s, "mailto:"); ok {
		rest, _, _ = strings.Cut(rest, "?")
		if plain, err := url.PathUnescape(rest); err == nil {
			rest = plain
		}
		s = strings.Trim(rest, aroundAddress)
	}
	return norm.NFC.String(strings.ToLower(s))
}

// aroundAddress are characters that get around an address when it is pasted from a text, a table or a mail program.
const aroundAddress = " <>\"'`´‘’‚‛“”„‟«»‹›,;."

// FoldWidth replaces full-width characters and the lookalikes of "@" by the usual ones.
func FoldWidth(s string) string { return strings.ReplaceAll(width.Fold.String(s), "﹫", "@") }

// NormalDomain returns an e-mail domain as it is compared: lower case, in ASCII, without an @ before it. What is not one is an
// [Invalid] error at a field.
func NormalDomain(s, field string) (string, error) {
	d := strings.TrimLeft(strings.Trim(FoldWidth(Line(s)), aroundAddress), "@")
	email, err := NormalEmail("a@" + d)
	if err != nil {
		return "", Errorf(Invalid, "%q is not an e-mail domain.", cutWords(Line(s), 100)).Fix("Write it like example.org.").At(field)
	}
	return strings.TrimPrefix(email, "a@"), nil
}

// ASCIIHost returns the name of a host as it travels: lower case, in ASCII (xn--…), without a dot at the end. An address in numbers is
// returned as it is. What cannot be the name of a host is an [Invalid] error.
func ASCIIHost(host string) (string, error) {
	plain := strings.TrimSuffix(strings.ToLower(FoldWidth(Line(host))), ".")
	foreign := strings.Contains(plain, "xn--") || strings.ContainsFunc(plain, func(r rune) bool { return r > '~' })
	var err error
	if foreign {
		plain, err = idna.Lookup.ToASCII(plain)
		plain = strings.TrimSuffix(plain, ".")
	}
	if err != nil || plain == "" || len(plain) > 253 || strings.ContainsAny(plain, " /\\@?#%<>\"'") {
		return "", Errorf(Invalid, "%q is not the name of a host.", cutWords(Line(host), 100)).Because(err)
	}
	return plain, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
		return s[len(prefix):], true
	}
	return s, false
}

// cutWords shortens a text that an error quotes, between letters.
func cutWords(s string, most int) string {
	n := 0
	for i := range s {
		if n++; n > most {
			return s[:i] + "…"
		}
	}
	return s
}
