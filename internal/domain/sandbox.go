package domain

import "fmt"

// Sandbox is what is in force for a run's ServerApp.
type Sandbox struct {
	Level Containment `json:"level,omitempty"`  // "": not known, as for runs from before it was kept
	NoWeb bool        `json:"no_web,omitempty"` // it cannot reach web servers
	UID   int         `json:"uid,omitempty"`    // the user that it runs as, which only apps of its federation are; 0: the server's own
}

// Access says for people what the ServerApp can read and reach; "" while that is not known. verb is "can" or "could".
func (s Sandbox) Access(verb string) string {
	words := s.reach(verb)
	if words == "" || s.UID == 0 {
		return words
	}
	return words + fmt.Sprintf(" Its user ID is %d, which only apps of this federation have.", s.UID)
}

func (s Sandbox) reach(verb string) string {
	switch {
	case s.Level == "":
		return ""
	case s.Level == ContainedPartly:
		return "This app " + verb + " read files of the server and reach other computers: the server's kernel is too old to contain it fully."
	case !s.Level.Strong():
		return "This app " + verb + " read and reach whatever the server can: it is not contained."
	case s.NoWeb && s.Level != ContainedFully:
		return "This app " + verb + " read its Python environment, system libraries and its own folders, and reach only Flower. " +
			"Without namespaces, the server's system cannot keep it from the same port of other computers."
	case s.NoWeb:
		return "This app " + verb + " read its Python environment, system libraries and its own folders, and reach only Flower."
	}
	return "This app " + verb + " read its Python environment, system libraries and its own folders, and reach only Flower and web servers."
}

// OnOff names a switch's position.
func OnOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
