package onboarding

// ParseEmails is for tests of lists that no service needs.
var ParseEmails = parseEmails
