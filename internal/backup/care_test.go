package backup

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// A secret key that is given as a recipient is in no message: it would reach the log, the audit and the page.
func TestASecretKeyIsNeverQuoted(t *testing.T) {
	keyFile := filepath.Join(t.TempDir(), "key")
	recipient, err := NewKey(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	text, err := ReadSecret(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	secret := text[strings.Index(text, "AGE-SECRET-KEY-1"):]
	for given, words := range map[string]string{secret: "A secret key", strings.ToLower(secret): "A secret key", " " + secret: "A secret key",
		"x" + secret: "does not begin with age1", recipient + "\n" + secret: "not an age recipient", "age1" + secret: "not an age recipient"} {
		err := CheckSettings(config.Backup{Recipient: []string{given}})
		refused(t, err, domain.Invalid, words)
		refused(t, err, domain.Invalid, "--backup-recipient: ")
		said := strings.ToUpper(err.Error() + words + domainRemedy(err))
		if strings.Contains(said, secret[20:40]) || strings.Contains(said, "SECRET-KEY-1") {
			t.Errorf("%q is quoted: %v", given, err)
		}
	}
	if err := CheckSettings(config.Backup{Recipient: []string{recipient}}); err != nil {
		t.Error(err)
	}
}

// exec changes a database past the server.
func (p *place) exec(statements string) {
	p.t.Helper()
	driver, source := "pgx", p.set.Database
	if file := store.SQLiteFile(source); file != "" {
		driver, source = "sqlite", "file:"+file+"?_pragma=writable_schema(1)"
	}
	raw, err := sql.Open(driver, source)
	if err != nil {
		p.t.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.Exec(statements); err != nil {
		p.t.Fatal(err)
	}
}

func domainRemedy(err error) string {
	if e := known(err); e != nil {
		return e.Remedy
	}
	return ""
}

func TestAPassphraseFileIsCheckedAtTheStart(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, CheckSettings(config.Backup{PassphraseFile: empty}), domain.Invalid, "is empty")
	refused(t, CheckSettings(config.Backup{PassphraseFile: filepath.Join(dir, "none")}), domain.Invalid, "--backup-passphrase-file: ")
	if err := CheckSettings(config.Backup{}); err != nil {
		t.Errorf("without a protection: %v", err)
	}
}

// What is wrong with the audit was wrong in the database: the backup is all that there is, and a person is told.
func TestABackupOfABrokenAuditIsKeptAndReported(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		s, now := scheduled(t, p)
		p.exec("UPDATE audit SET action = 'other.thing' WHERE id = 3")
		state := tick(t, s)
		if len(state.Newest) != 1 {
			t.Fatalf("%+v", state)
		}
		b := state.Newest[0]
		if _, err := os.Stat(b.File); err != nil || b.Verified != domain.BackupContentChecked || !strings.Contains(b.Error, "entry 3 does not fit") {
			t.Errorf("%+v, %v", b, err)
		}
		if cause, _ := state.Problem(*now); !strings.Contains(cause, "not whole") || !state.LastGood.EndedAt.IsZero() {
			t.Errorf("%q, %+v", cause, state.LastGood)
		}
		*now = now.Add(2 * retryAfter)
		if again := tick(t, s); len(again.Newest) != 1 {
			t.Error("it is made again every hour")
		}
	})
}

// A file that could not be verified is kept; one that is damaged is not.
func TestOnlyADamagedBackupIsRemoved(t *testing.T) {
	p := newPlace(t, "")
	s, now := scheduled(t, p)
	p.exec("CREATE TABLE odd (a, b); CREATE INDEX odd_i ON odd (a); INSERT INTO odd VALUES (1, 2)") // an index that lacks a row
	p.exec("UPDATE sqlite_master SET sql = 'CREATE INDEX odd_i ON odd (b)' WHERE name = 'odd_i'")
	state := tick(t, s)
	if len(state.Newest) != 1 {
		t.Fatalf("%+v", state)
	}
	b := state.Newest[0]
	if _, err := os.Stat(b.File); err != nil || b.Verified != domain.BackupUnchecked || !strings.Contains(b.Error, "could not be verified") {
		t.Errorf("%+v, %v", b, err)
	}
	if cause, _ := state.Problem(*now); cause == "" {
		t.Error("nobody is told")
	}
	if !isDamage(damaged("somewhere", nil)) || isDamage(damaged("somewhere", &os.PathError{})) || isDamage(full(os.ErrPermission)) {
		t.Error("what cannot be read is taken for damage")
	}
}

// The directory for temporary files is small on many machines.
func TestABackupIsVerifiedInTheDataDirectory(t *testing.T) {
	p := newPlace(t, "")
	s, _ := scheduled(t, p)
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "none"))
	if state := tick(t, s); state.LastGood.Verified != domain.BackupContentChecked {
		t.Errorf("%+v", state)
	}
	left, err := filepath.Glob(filepath.Join(p.set.Data, Folder, ".*"))
	if len(left) != 0 || err != nil {
		t.Errorf("left: %v, %v", left, err)
	}
}

// A restored copy has the same instance and perhaps the same folder.
func TestARestoredCopyRemovesNoBackupsOfTheOriginal(t *testing.T) {
	p := newPlace(t, "")
	s, now := scheduled(t, p)
	var originals []string
	for range 2 {
		originals = append(originals, tick(t, s).LastGood.File)
		*now = now.Add(24 * time.Hour)
	}
	o := p.target()
	o.File = originals[0]
	if _, err := Restore(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	set := p.set
	set.Data = o.Data
	c := &Service{DB: p.db, Config: set, Server: "test", Log: s.Log, Started: *now, Clock: s.Clock}
	for range 4 {
		tick(t, c)
		*now = now.Add(24 * time.Hour)
	}
	for _, file := range originals {
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
	}
	if found, err := os.ReadDir(set.Backup.Folder); err != nil || len(found) != 4 {
		t.Errorf("%v, %v: two of each are kept", found, err)
	}
}

// What this server's own killed backup left is removed at once; another process may be writing the rest.
func TestLeftoversAreRemovedBeforeTheNextBackup(t *testing.T) {
	p := newPlace(t, "")
	s, _ := scheduled(t, p)
	series, err := s.series()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(s.Config.Backup.Folder, 0o700); err != nil {
		t.Fatal(err)
	}
	work := func(name string) string { return filepath.Join(p.set.Data, Folder, name) }
	part := func(name string) string { return filepath.Join(s.Config.Backup.Folder, name) }
	mine := []string{work(workPrefix + series + "-1"), part(partPrefix + series + "-1")}
	others := []string{work(workPrefix + "1"), part(partPrefix + "00000000-1"), part("a file of mine")}
	for _, dir := range slices.Concat(mine, others) {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if state := tick(t, s); state.LastGood.File == "" {
		t.Fatalf("%+v", state)
	}
	for _, path := range mine {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s is left", path)
		}
	}
	for _, path := range others {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

// endless is read until somebody cancels.
type endless struct {
	cancel context.CancelFunc
	reads  int
}

func (e *endless) Read(b []byte) (int, error) {
	if e.reads++; e.reads == 3 {
		e.cancel()
	}
	return len(b), nil
}

func TestAddingAFileStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w, err := newWriter(ctx, filepath.Join(t.TempDir(), "b"), Protection{Clear: true}, "")
	if err != nil {
		t.Fatal(err)
	}
	defer w.abort()
	e := &endless{cancel: cancel}
	if err := w.add("data/large", 1<<30, 0o600, time.Now(), e); err == nil || e.reads != 3 {
		t.Errorf("it read %d times: %v", e.reads, err)
	}
}

// A server that its backup kills is not killed again as soon as it starts.
func TestABackupThatKilledTheServerWaits(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		s, now := scheduled(t, p)
		s.begun(domain.BackupScheduled) // and it dies
		*now = now.Add(10 * time.Minute)
		next := &Service{DB: p.db, Config: s.Config, Server: "test", Log: s.Log, Started: *now, Clock: s.Clock}
		next.interrupted(t.Context())
		state := tick(t, next)
		if cause, _ := state.Problem(*now); len(state.Newest) != 1 || !strings.Contains(cause, "The server ended") {
			t.Fatalf("%q, %+v", cause, state)
		}
		next.interrupted(t.Context())
		*now = now.Add(retryAfter)
		if state = tick(t, next); len(state.Newest) != 2 || state.LastGood.File == "" {
			t.Errorf("after an hour: %+v", state)
		}
		next.interrupted(t.Context()) // nothing is left of a backup that ended
		if state = tick(t, next); len(state.Newest) != 2 {
			t.Errorf("a backup that ended is taken for one that did not: %+v", state)
		}
	})
}
