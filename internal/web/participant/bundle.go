package participant

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/download"
	"blossomtune/internal/program"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// inPart lets only those through whose request in the federation is approved.
func inPart(v *visit.Visit) error {
	switch {
	case v.Mine.ID == 0:
		return visit.NoFederation()
	case v.Mine.State != domain.Approved:
		return domain.Errorf(domain.Conflict, "Your request is %s; this is for those who are in.",
			v.Mine.State).Fix("Your own page says where your request stands.")
	}
	return nil
}

// Bundle is everything that a participant's machine needs, in one file, but no key and no token: those are made there.
func (s *Pages) Bundle(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := inPart(v); err != nil {
		return err
	}
	st, err := s.standing(r.Context(), v)
	if err != nil {
		return err
	}
	s.visiting(r, &st)
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range bundleFiles(st) {
		h := &zip.FileHeader{Name: st.fed.Slug + "/" + f.name, Method: zip.Deflate, Modified: st.request.CreatedAt.UTC().Truncate(time.Second)}
		h.SetMode(f.mode)
		out, err := z.CreateHeader(h)
		if err == nil {
			_, err = out.Write([]byte(f.text))
		}
		if err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Disposition", `attachment; filename="`+st.fed.Slug+`-connect.zip"`)
	download.Bytes(w, r, b.Bytes())
	return nil
}

type bundleFile struct {
	name string
	mode fs.FileMode
	text string
}

func bundleFiles(st standing) []bundleFile {
	files := []bundleFile{
		{"README.txt", 0o644, bundleReadme(st)},
		{"connect.sh", 0o755, "#!/bin/sh\n# Downloads the program if it is not here yet, and connects this machine. Shows a code to enter " +
			"in a browser.\n" + st.bundledShell()},
		{"connect.ps1", 0o644,
			windowsLines("# Downloads the program and connects this machine. Shows a code to enter in a browser.\n# Paste it into PowerShell, or " +
				"run: powershell -ExecutionPolicy Bypass -File connect.ps1\n" + st.bundledWindows())},
		{"plain-flower.sh", 0o755, "#!/bin/sh\n# For who runs flwr " + st.conn.Flwr + " without blossomtune: the key beside this file must be " +
			"enrolled on your status page.\ncd \"$(dirname \"$0\")\" || exit 1\nexec " + st.superNodeCommand() + "\n"},
	}
	if st.pinned() {
		files = append(files, bundleFile{"ca.pem", 0o644, string(st.conn.CAPEM)})
	}
	return files
}

// bundledShell is connect.sh. uname says which of the two systems it runs on.
func (st standing) bundledShell() string {
	mine := map[string]string{}
	for _, p := range st.pastes("join " + st.conn.PublicURL) {
		mine[p.OS] = p.text
	}
	var b strings.Builder
	if st.pinned() {
		b.WriteString("# curl -k: the SHA-256 protects the file, and join checks the server before it sends anything.\n")
	}
	for _, system := range []struct{ uname, os string }{{"Linux", "linux"}, {"Darwin", "darwin"}} {
		if text := mine[system.os]; text != "" {
			fmt.Fprintf(&b, "if [ \"$(uname -s)\" = %s ]; then\n%s\nexit\nfi\n", system.uname, text)
		}
	}
	return b.String() + "# Without a download: the program that is on this machine already.\nexec blossomtune join " + st.conn.PublicURL + "\n"
}

// bundledWindows is connect.ps1.
func (st standing) bundledWindows() string {
	for _, p := range st.pastes("join " + st.conn.PublicURL) {
		if p.OS == "windows" && p.text != "" {
			return p.text + "\n"
		}
	}
	return "blossomtune join " + st.conn.PublicURL + "\n"
}

// windowsLines ends lines as Windows does.
func windowsLines(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func bundleReadme(st standing) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: connect partition %d of %d\n\n", st.fed.Name, st.request.Partition, st.fed.TotalPartitions)
	fmt.Fprintf(&b, "1. The machine that holds the data needs Python 3.11 or newer and outgoing HTTPS.\n2. Run connect.sh there (Windows: "+
		"connect.ps1). It downloads blossomtune from this server, checks its SHA-256 and starts it.\n3. Open the page that it shows, signed in "+
		"as %s, and press the button.\n\n", st.request.Email)
	fmt.Fprintf(&b, "Check first, without changing anything:\n    ~/.blossomtune/bin/blossomtune join %s --preflight\nUndo everything:\n    "+
		"~/.blossomtune/bin/blossomtune leave %s\n\n", st.conn.PublicURL, st.conn.PublicURL)
	if len(st.programs) > 0 {
		fmt.Fprintf(&b, "The programs that this server hands out, with their SHA-256. After an update of the server they are others: then take "+
			"the bundle again.\n%s\n", program.Sums(st.programs))
	}
	fmt.Fprintf(&b, "Outgoing: TLS to %s. Nothing comes in.\n", st.conn.SuperLink)
	if st.pinned() {
		fmt.Fprintf(&b, "SHA-256 of ca.pem: %s\n", st.caFingerprint())
	}
	fmt.Fprintf(&b, "\nThis file holds no key and no token. The key is made on your machine and never leaves it.\n"+
		"Your status page: %s/me/%s\n", st.conn.PublicURL, st.fed.Slug)
	return b.String()
}

// ITPage is for those who look after the participant's network and machine, to be printed.
func (s *Pages) ITPage(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := inPart(v); err != nil {
		return err
	}
	st, err := s.standing(r.Context(), v)
	if err != nil {
		return err
	}
	s.visiting(r, &st)
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: "For IT · " + v.Fed.Name, Nav: "me", Mid: true}, itSheet(st))
	return nil
}
