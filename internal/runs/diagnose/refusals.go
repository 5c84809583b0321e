package diagnose

import "regexp"

// rulesPattern finds the rule in an error reply of an agent whose owner's rules keep an app from running or a reply from leaving.
var rulesPattern = regexp.MustCompile(`^The participant's rules do not allow this: ([a-z-]{1,40})\.$`)

// refusalWords has the words for an error reply with which an agent keeps to what its owner decided.
func refusalWords(reply string) (message, remedy string, ok bool) {
	switch reply {
	case "The participant has not approved this app version yet.":
		return "has not approved this app version.", "Its owner is mailed, and approves it on that machine with blossomtune apps. Then run it again.", true
	case "The participant has rejected this app version.":
		return "has rejected this app version.", "Ask its owner, or run without it.", true
	case "The participant's SuperNode could not record what would leave the machine, so it sent nothing.":
		return "could not write its ledger, so it sent nothing.", "Its owner runs blossomtune ledger on that machine; it says what is wrong.", true
	}
	if m := rulesPattern.FindStringSubmatch(reply); m != nil {
		return "is kept from this by its owner's rule \"" + m[1] + "\".", "Ask its owner, who can change the rule on that machine.", true
	}
	return "", "", false
}
