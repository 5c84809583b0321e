package app

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"blossomtune/internal/web"
)

var update = flag.Bool("update", false, "write docs/access.md anew")

const accessDoc = "../../docs/access.md"

const accessIntro = `# Who may do what

This page is made from the table that the tests hold every page and every operation to (` + "`internal/app/access_test.go`" + `): each is
called as everybody below, and must answer those who may and nobody else. A test fails when this page differs; after a change of
either make it anew with ` + "`go test ./internal/app -run TestAccessIsDocumented -update`" + `.

| column | who that is |
|---|---|
| stranger | not signed in |
| outsider | signed in, with a part in another federation only: this one does not exist for them (404) |
| asker | has asked to join and is not decided on |
| revoked | was approved once; their access has ended |
| participant | approved: holds a partition. Of others they see "partition 3", never names |
| viewer | was given that role in the federation: sees runs, charts, logs and who takes part |
| manager | was given that role in the federation: approves people, launches and stops runs |
| admin | of the whole instance; a manager of every federation |

A participant acts on their own requests only: the API answers 404 for another person's. Where no column is marked, neither a
session nor a token is enough: a SuperNode's own signature is asked for. An API token may do what its person may; one with the
scope ` + "`read`" + ` changes nothing.

## Which runs a participant sees

A participant sees queued runs, runs that began after their request was approved, and earlier runs in which they took part: they were
enrolled when the run began, or their SuperNode was asked in it. Other runs do not exist for them: pages, lists, searches, charts, logs,
artifacts, receipts, live pages and the API leave them out or answer 404, and so do apps that only such runs used. Viewers, managers and
admins see every run. A link to a run opens that run for everyone who has it.

Of a run that they see, participants get everything but names: partitions and SuperNode ids of all participants and what each did,
charts, rounds, the ServerApp's log, artifacts and the receipt. Their own page of the federation names the apps that ran on their machine.
`

// The page of who may do what says what the tests hold the server to.
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
	if err := json.Unmarshal([]byte(s.get("stranger", "/api/openapi.json").body), &spec); err != nil {
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
	fmt.Fprintf(b, "| %s | %s |\n|---%s|\n", what, strings.Join(kinds, " | "), strings.Repeat("|:-:", len(kinds)))
}

func accessRow(b *strings.Builder, name string, may []string) {
	fmt.Fprintf(b, "| %s", name)
	for _, kind := range kinds {
		mark := ""
		if slices.Contains(may, kind) {
			mark = "✓"
		}
		fmt.Fprintf(b, " | %s", mark)
	}
	b.WriteString(" |\n")
}
