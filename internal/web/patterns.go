package web

// Patterns lists the pattern of every route of the pages, so that a test can hold each of them to its access.
func Patterns() (out []string) {
	for _, rt := range (&server{}).table() {
		out = append(out, rt.pattern)
	}
	return out
}
