package logmask

import (
	"bytes"
	"regexp"
)

// ownSecret is the length of the secret in each of our tokens and one-time links: 24 bytes in hexadecimal. No hash in use has it.
const ownSecret = 48

// kinds are the kinds of secrets that a line may hold, one bit each.
type kinds uint

const (
	aHeader kinds = 1 << iota
	aBearer
	aSignature
	aHubToken
	aGitHubToken
	anAmazonKey
	aPassword
	anOwnToken
	aKey
)

// suspects tells which kinds of secrets a line may hold. It looks at each byte once: almost every line ends here.
func suspects(line []byte) (found kinds) {
	run := 0
	for i, c := range line {
		if '0' <= c && c <= '9' || 'a' <= c && c <= 'f' {
			if run++; run == ownSecret {
				found |= anOwnToken
			}
		} else {
			run = 0
		}
		for _, b := range begins[c] {
			if b.may(line[i:]) {
				found |= b.kind
			}
		}
	}
	return found
}

type beginning struct {
	kind kinds
	may  func([]byte) bool
}

// begins tells by a byte which secrets may begin there.
var begins = [256][]beginning{
	'h': {{aHubToken, has("hf_")}}, 'g': {{aGitHubToken, has("gh?_", "github_pat_")}},
	'A': {{anAmazonKey, has("AKIA", "ASIA")}, {aHeader, header}, {anAmazonKey, amazon}},
	'a': {{aHeader, header}, {anAmazonKey, amazon}}, 'B': {{aBearer, bearer}}, 'b': {{aBearer, bearer}}, '-': {{aKey, has("-----BEGIN ")}},
	':': {{aPassword, password}}, 'f': {{aSignature, signature}}, 'F': {{aSignature, signature}},
}

// has returns a test for beginnings in which a question mark stands for any byte.
func has(beginnings ...string) func([]byte) bool {
	return func(s []byte) bool {
		for _, want := range beginnings {
			if begun(s, want) {
				return true
			}
		}
		return false
	}
}

func begun(s []byte, want string) bool {
	if len(s) < len(want) {
		return false
	}
	for i := range len(want) {
		if want[i] != '?' && s[i] != want[i] {
			return false
		}
	}
	return true
}

func folded(s []byte, want string) bool {
	return len(s) > len(want) && s[1]|0x20 == want[1] && bytes.EqualFold(s[:len(want)], []byte(want))
}

func header(s []byte) bool { return folded(s, "authorization") }
func amazon(s []byte) bool { return folded(s, "aws_secret_access_key") }
func bearer(s []byte) bool { return folded(s, "bearer ") }
func signature(s []byte) bool {
	return folded(s, "flwr-") && bytes.Contains(bytes.ToLower(s[:min(len(s), 60)]), []byte("signature"))
}

// password looks for one in an address: https://name:password@host.
func password(s []byte) bool {
	if !bytes.HasPrefix(s, []byte("://")) {
		return false
	}
	end := bytes.IndexAny(s[3:], "/ @")
	return end > 0 && s[3+end] == '@'
}

// shape is one kind of secret; with keeps what stands around it.
type shape struct {
	kind kinds
	find *regexp.Regexp
	with []byte
}

var all = []shape{
	// 'Authorization': 'Bearer …' as Python, JSON and command lines write it: up to the quote that closes it.
	{aHeader, regexp.MustCompile(`(?i)(authorization["']?\s*[:=,]\s*b?")[^"]+`), []byte("${1}" + Masked)},
	{aHeader, regexp.MustCompile(`(?i)(authorization["']?\s*[:=,]\s*b?')[^']+`), []byte("${1}" + Masked)},
	{aHeader, regexp.MustCompile(`(?i)(authorization["']?\s*[:=]\s*(?:(?:bearer|basic|token|bot|negotiate)\s+))[^\s"',;]+`),
		[]byte("${1}" + Masked)},
	{aHeader, regexp.MustCompile(`(?i)(authorization["']?\s*[:=]\s*)((?:bearer|basic|token|bot|negotiate)\s+\[masked\]|[^\s"'].*)`), nil},
	{aBearer, regexp.MustCompile(`(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]{16,}`), []byte("${1}" + Masked)},
	{aSignature, regexp.MustCompile(`(?i)(flwr-[a-z-]{0,20}signature["']?\s*[:=,]\s*b?["']?)[A-Za-z0-9+/=]+`), []byte("${1}" + Masked)},
	{aHubToken, regexp.MustCompile(`(hf_)[A-Za-z0-9]{16,}`), []byte("${1}" + Masked)},
	{aGitHubToken, regexp.MustCompile(`(gh[pousr]_)[A-Za-z0-9]{16,}`), []byte("${1}" + Masked)},
	{aGitHubToken, regexp.MustCompile(`(github_pat_)[A-Za-z0-9_]{16,}`), []byte("${1}" + Masked)},
	{anAmazonKey, regexp.MustCompile(`(AKIA|ASIA)[A-Z0-9]{16}`), []byte("${1}" + Masked)},
	{anAmazonKey, regexp.MustCompile(`(?i)(aws_secret_access_key["']?\s*[:=]\s*["']?)[A-Za-z0-9/+=]{30,}`), []byte("${1}" + Masked)},
	{aPassword, regexp.MustCompile(`(://[^\s/:@]*:)[^\s/@]+@`), []byte("${1}" + Masked + "@")},
}

var (
	simpleScheme = regexp.MustCompile(`(?i)^(authorization["']?\s*[:=]\s*)(?:bearer|basic|token|bot|negotiate)\s+\[masked\]`)
	otherScheme  = regexp.MustCompile(`(?i)^(authorization["']?\s*[:=]\s*)`)
)

// shapes replaces the secrets of some kinds.
func shapes(line []byte, of kinds) []byte {
	for _, s := range all {
		if of&s.kind == 0 {
			continue
		}
		if s.with != nil {
			line = s.find.ReplaceAll(line, s.with)
			continue
		}
		line = s.find.ReplaceAllFunc(line, otherSchemes)
	}
	if of&anOwnToken == 0 {
		return line
	}
	return ownTokens(line)
}

// otherSchemes masks an unquoted Authorization value whose scheme is none of the simple ones, such as Digest: all that follows.
func otherSchemes(value []byte) []byte {
	if simpleScheme.Match(value) {
		return value
	}
	head := otherScheme.Find(value)
	return append(bytes.Clone(head), Masked...)
}

// ownTokens masks words of exactly 48 hexadecimal digits.
func ownTokens(line []byte) []byte {
	var out []byte
	kept := 0
	for i := 0; i <= len(line); {
		j := i
		for j < len(line) && ('0' <= line[j] && line[j] <= '9' || 'a' <= line[j] && line[j] <= 'f') {
			j++
		}
		if j-i == ownSecret {
			out = append(append(out, line[kept:i]...), Masked...)
			kept = j
		}
		i = j + 1
	}
	if kept == 0 {
		return line
	}
	return append(out, line[kept:]...)
}
