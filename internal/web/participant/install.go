package participant

import (
	"net/http"

	"blossomtune/internal/program"
)

// paste is what a participant pastes on one system to get the program and run it.
type paste struct {
	program.System
	text   string // "" where this server has no program for it
	masked string // the text without the token; "" without one
	open   bool   // the visitor's own system
}

// pastes makes the block for each system. Its token is a secret: it stands in the environment of join, never in an argument.
func (st standing) pastes(args string) []paste {
	block := program.Block{Programs: st.programs, Base: st.conn.PublicURL, OwnCA: st.pinned(), Token: st.token, Args: args}
	out := make([]paste, 0, len(program.Systems))
	for _, system := range program.Systems {
		p := paste{System: system, text: block.Text(system.OS), open: system.OS == st.system}
		if st.token != "" && p.text != "" {
			hidden := block
			hidden.Token = "••••••••"
			p.masked = hidden.Text(system.OS)
		}
		out = append(out, p)
	}
	return out
}

// joinArgs are the arguments of the program that connect the participant's machine.
func (st standing) joinArgs() string {
	args := "join " + st.conn.PublicURL
	if st.ask {
		args += " --approve ask"
	}
	return args
}

// visiting notes what a page with blocks to paste needs to know of this server and of the visitor.
func (s *Pages) visiting(r *http.Request, st *standing) {
	st.programs, st.system = s.Programs.List(), program.SystemOf(r.UserAgent())
}
