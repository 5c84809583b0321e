// Package approval decides which app versions run on a participant's machine. It decides by files of that machine alone: what the owner
// approved, and the owner's rules. Nothing that the server says makes an app run that the owner did not allow.
package approval

import (
	"fmt"

	"blossomtune/internal/domain"
)

// Policy says which app versions run here.
type Policy string

// The policies. The owner's rules apply with each.
const (
	Any    Policy = "any"    // all of the federation's
	Listed Policy = "listed" // those that the rules list or the owner approved
	Ask    Policy = "ask"    // those that the owner approved
)

// ParsePolicy reads a policy.
func ParsePolicy(text string) (Policy, error) {
	switch p := Policy(text); p {
	case Any, Listed, Ask:
		return p, nil
	}
	return "", domain.Errorf(domain.Invalid, "--approve is any, listed or ask, not %q.", text).At("approve")
}

// Rule names why an app version does not run.
type Rule string

// The rules.
const (
	RuleApproval     Rule = "approval"     // the owner has approved this version
	RuleRejected     Rule = "rejected"     // the owner has not rejected it
	RuleListed       Rule = "listed"       // the rules list it
	RuleHash         Rule = "hash"         // the app's bytes have the SHA-256 that the run names
	RuleDependencies Rule = "dependencies" // it needs the packages that were approved with it, and the rules allow them
	RulePackages     Rule = "packages"     // the packages in its environment are those of its first run
	RuleSignature    Rule = "signature"    // the approvals were made on this machine for this federation, and not changed
	RuleMode         Rule = "mode"         // only the owner can write the files
	RuleRules        Rule = "rules"        // the rules can be read
	RulePublisher    Rule = "publisher"    // the rules list the app's publisher
	RuleFederation   Rule = "federation"   // the rules list the federation
	RuleLaunchedBy   Rule = "launched-by"  // the rules list who launched the run
	RuleHours        Rule = "hours"        // the rules allow apps at this time
	RuleClock        Rule = "clock"        // the machine's clock was not turned back
	RuleBytes        Rule = "bytes"        // a round sends no more than the rules allow
)

// Refusal is why an app version does not run, or a reply does not leave.
type Refusal struct {
	Rule Rule
	Why  string // for the owner
}

// Error returns the rule and why it is broken.
func (r *Refusal) Error() string { return fmt.Sprintf("rule %q: %s", r.Rule, r.Why) }

// Reason is what the federation's managers are told. It says nothing of this machine but the rule.
func (r *Refusal) Reason() string {
	switch r.Rule {
	case RuleApproval:
		return "The participant has not approved this app version yet."
	case RuleRejected:
		return "The participant has rejected this app version."
	}
	return fmt.Sprintf("The participant's rules do not allow this: %s.", r.Rule)
}

func refuse(rule Rule, format string, args ...any) *Refusal {
	return &Refusal{Rule: rule, Why: fmt.Sprintf(format, args...)}
}
