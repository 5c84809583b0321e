package domain

import "strings"

// CSVCell keeps a spreadsheet from taking what a stranger wrote for a formula.
func CSVCell(text string) string {
	if text != "" && strings.ContainsAny(text[:1], "=+-@\t\r\n") {
		return "'" + text
	}
	return text
}
