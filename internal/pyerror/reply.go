package pyerror

import "strings"

var replyPattern = lazily(`(?s)^<class '([^'\n]{1,300})'>:<'(.*)$`)

// FromReply reads the exception out of the reason of an error reply, as flwr writes it: <class 'ZeroDivisionError'>:<'division by zero'>.
func FromReply(reason string) (Exception, bool) {
	m := replyPattern().FindStringSubmatch(reason)
	if m == nil {
		return Exception{}, false
	}
	e, ok := exceptionIn(m[1])
	if !ok {
		return Exception{}, false
	}
	lines := strings.Split(strings.TrimSuffix(m[2], "'>"), "\n") // a long reason is cut off before its end
	e.Message, e.More = strings.TrimSpace(lines[0]), lines[1:]
	return e, true
}

// What differs from machine to machine in the text of one and the same failure.
var differing = []struct {
	pattern pattern
	with    string
}{
	{lazily(`\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b`), "…"},
	{lazily(`\b0x[0-9a-fA-F]+\b`), "…"},
	{lazily(`(?:file://|[A-Za-z]:\\|\\\\|~/|\.{0,2}/)[^\s'"<>|:;,)\]}]*[/\\][^\s'"<>|:;,)\]}]*`), "…"}, // a path of two parts or more
	{lazily(`(['"(\s])/[^\s'"<>|:;,)\]}/]+`), "${1}…"},                                                 // one below the root
	{lazily(`\b[0-9a-fA-F]{16,}\b`), "…"},
	{lazily(`\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b`), "…"},
	{lazily(`[-+]?\d+(?:[.,]\d+)*(?:[eE][-+]?\d+)?`), "…"},
}

// Normal is a text without what differs from machine to machine: paths, ids, addresses and numbers are replaced by "…". Two machines
// whose exceptions have the same kind and the same normal text failed for the same reason.
func Normal(text string) string {
	for _, d := range differing {
		text = d.pattern().ReplaceAllString(text, d.with)
	}
	return strings.Join(strings.Fields(text), " ")
}
