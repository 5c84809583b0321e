package api_test

import (
	"blossomtune/internal/servertest"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"blossomtune/internal/web"
)

var update = flag.Bool("update", false, "regenerate docs/access.md")

const accessDoc = "../../docs/access.md"

const accessIntro = `# Access rights

This page lists who can use each page and each API operation. It is generated from the table that the tests use
(` + "`internal/api/access_test.go`" + `): they call each page and operation in every role and check that only the roles listed here get access.
After a change, regenerate it with ` + "`go test ./internal/api -run TestAccessIsDocumented -update`" + `.

| role | meaning |
|---|---|
| stranger | not signed in |
| outsider | signed in, but without a role in this federation, which does not exist for them (404) |
| asker | has asked to join; the request is open |
| revoked | was approved once; access was revoked |
| participant | approved: holds a partition. Sees others as "partition 3", without names |
| viewer | has this role in the federation: sees runs, charts, logs and who takes part |
| manager | has this role in the federation: approves requests, launches and stops runs |
| admin | of the whole instance; manager of every federation |

Participants can act only on their own requests; for those of others the API answers 404. If no column is marked, neither a session nor a
token gives access: the operation requires a SuperNode's signature. An API token has the rights of its owner; a token with the scope
` + "`read`" + ` is read-only.

## Runs that participants see

Participants see queued runs, runs that began after their request was approved, and earlier runs in which they took part: they were
enrolled when the run began, or their SuperNode received a message of the run. They cannot see other runs, or apps that only other runs
used: pages, lists, searches, charts, logs, artifacts, receipts, live updates and the API leave these out or answer 404. Viewers, managers
and admins see all runs. A share link shows its run to everyone who has the link.

In the runs that they see, participants see everything except names: the partitions and SuperNode IDs of all participants and what each
did, charts, rounds, the ServerApp's log, artifacts and the receipt. A participant's own page lists the apps that ran on their machine.
`

// docs/access.md matches the table that the tests check the server against.
func TestAccessIsDocumented(t *testing.T) {
	s := newSite(t)
	var b strings.Builder
	b.WriteString(accessIntro)
	b.WriteString("\n## Pages\n\n")
	accessHead(&b, "page or form")
	for _, pattern := range web.Patterns() {
		accessRow(&b, "`"+strings.ReplaceAll(pattern, "{$}", "")+"`", pageAccess[pattern])
	}
	b.WriteString("\n## Operations of the API\n\n")
	accessHead(&b, "operation")
	var spec struct {
		Paths map[string]map[string]struct{ OperationID, Summary string }
	}
	if err := json.Unmarshal([]byte(s.Get("stranger", "/api/openapi.json").Body), &spec); err != nil {
		t.Fatal(err)
	}
	type row struct {
		name string
		may  []string
	}
	var rows []row
	for path, methods := range spec.Paths {
		for method, op := range methods {
			rows = append(rows, row{fmt.Sprintf("`%s %s` %s", strings.ToUpper(method), path, op.Summary), apiAccess[op.OperationID]})
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(pathOf(a.name), pathOf(b.name)) })
	for _, r := range rows {
		accessRow(&b, r.name, r.may)
	}
	if *update {
		if err := os.WriteFile(accessDoc, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(accessDoc)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(b.String(), "\n")
	for i, line := range strings.Split(string(got), "\n") {
		if i >= len(want) || line != want[i] {
			t.Fatalf("docs/access.md, line %d is %q; make it anew with -update", i+1, line)
		}
	}
	if len(got) != b.Len() {
		t.Error("docs/access.md lacks lines at its end; make it anew with -update")
	}
}

// pathOf is what rows are sorted by: the path first, then the method.
func pathOf(name string) string {
	method, path, _ := strings.Cut(strings.Trim(name, "`"), " ")
	path, _, _ = strings.Cut(path, "`")
	return path + " " + method
}

func accessHead(b *strings.Builder, what string) {
	fmt.Fprintf(b, "| %s | %s |\n|---%s|\n", what, strings.Join(servertest.Kinds, " | "), strings.Repeat("|:-:", len(servertest.Kinds)))
}

func accessRow(b *strings.Builder, name string, may []string) {
	fmt.Fprintf(b, "| %s", name)
	for _, kind := range servertest.Kinds {
		mark := ""
		if slices.Contains(may, kind) {
			mark = "✓"
		}
		fmt.Fprintf(b, " | %s", mark)
	}
	b.WriteString(" |\n")
}
