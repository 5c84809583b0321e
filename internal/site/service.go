package site

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"blossomtune/internal/domain"
)

// Tx is what the site's settings need of a transaction.
type Tx interface {
	Settings(ctx context.Context, prefix string) (map[string]string, error)
	PutSetting(ctx context.Context, key, value string) error
	DropSetting(ctx context.Context, key string) error
	InsertAudit(ctx context.Context, e domain.AuditEntry) error
}

// Store runs transactions.
type Store interface {
	InTx(ctx context.Context, fn func(Tx) error) error
	View(ctx context.Context, fn func(Tx) error) error
}

// Given is a value that the configuration gives; it cannot be changed in the pages.
type Given struct {
	Value string // checked
	From  string // where, for people: "blossomtune.toml, line 12"
}

// Options are the parts a [Service] works with.
type Options struct {
	Store Store
	Clock domain.Clock
	Given map[string]Given
}

// prefix of the site's keys among the settings.
const prefix = "site."

// Service knows what is set. Reading it costs no query; it is safe for concurrent use.
type Service struct {
	Options
	changing sync.Mutex // from the transaction to what is read here
	now      atomic.Pointer[state]
}

// state is all that is in force at a moment; it is never changed.
type state struct {
	set     map[string]string // in the database
	values  map[string]string // in force
	logo    Picture
	hasLogo bool
	logoTag string
}

// New returns a Service that knows the defaults and what is given; [Service.Load] reads the database.
func New(o Options) *Service {
	s := &Service{Options: o}
	s.take(nil)
	return s
}

// Defaults is a Service without a database, for parts that stand alone.
func Defaults() *Service { return New(Options{}) }

// Load reads what admins have set.
func (s *Service) Load(ctx context.Context) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	var all map[string]string
	err := s.Store.View(ctx, func(tx Tx) (err error) { all, err = tx.Settings(ctx, prefix); return err })
	if err == nil {
		s.take(all)
	}
	return err
}

// take puts stored settings into force. What a later version would not accept any more falls back to the default.
func (s *Service) take(stored map[string]string) {
	st := &state{set: map[string]string{}, values: map[string]string{}}
	for _, f := range fields {
		value := f.Default
		if kept, ok := stored[prefix+f.Key]; ok {
			st.set[f.Key] = kept
			if good, err := Check(f.Key, kept); err == nil {
				value = good
			}
		}
		if g, ok := s.Given[f.Key]; ok {
			value = g.Value
		}
		st.values[f.Key] = value
	}
	st.logo, st.hasLogo, _ = ParseLogo(st.values[KeyLogo]) // checked when it was set
	sum := sha256.Sum256(st.logo.Bytes)
	st.logoTag = hex.EncodeToString(sum[:6])
	s.now.Store(st)
}

// Value is what is in force for a key.
func (s *Service) Value(key string) string { return s.now.Load().values[key] }

// Name is the site's name.
func (s *Service) Name() string { return s.Value(KeyName) }

// Logo is the site's picture with a tag that changes with it, and whether there is one.
func (s *Service) Logo() (p Picture, tag string, ok bool) {
	st := s.now.Load()
	return st.logo, st.logoTag, st.hasLogo
}

// Style is the style sheet of the site's colours; "" for the usual ones.
func (s *Service) Style() string {
	light, dark := s.Value(KeyLight), s.Value(KeyDark)
	l, _ := field(KeyLight)
	d, _ := field(KeyDark)
	if light == l.Default && dark == d.Default {
		return ""
	}
	return Style(":root", light, dark)
}

// Welcome is the front door's text.
func (s *Service) Welcome() string { return Welcome(s.Value(KeyWelcome), s.Name()) }

// Welcome fills the front door's text.
func Welcome(text, name string) string { return fill(text, map[string]string{"site": name}) }

// Mail makes a mail of a kind; values are its placeholders', without the site's name, which is known here.
func (s *Service) Mail(kind string, values map[string]string) domain.Mail {
	return compose(s.now.Load().values, kind, values)
}

// Preview is a mail of a kind with sample values, from a subject and a text that are not saved yet.
func Preview(kind, subject, text, name string) domain.Mail {
	values := map[string]string{}
	for _, p := range mailOf(kind).Placeholders {
		values[p.Name] = p.Sample
	}
	return compose(map[string]string{"mail." + kind + ".subject": subject, "mail." + kind + ".text": text, KeyName: name}, kind, values)
}

func compose(set map[string]string, kind string, values map[string]string) domain.Mail {
	values = maps.Clone(values)
	values["site"] = set[KeyName]
	key := "mail." + kind
	return domain.Mail{Subject: oneLine(fill(set[key+".subject"], values)),
		Text: strings.TrimRight(fill(set[key+".text"], values), "\n") + "\n"}
}

// Setting is one field with what is in force.
type Setting struct {
	Field
	Value string
	From  string // of a value that the configuration gives: where
	Set   bool   // somebody has set it; it can be reset
}

// Settings are all fields with what is in force.
func (s *Service) Settings() []Setting {
	st := s.now.Load()
	out := make([]Setting, len(fields))
	for i, f := range fields {
		_, set := st.set[f.Key]
		out[i] = Setting{Field: f, Value: st.values[f.Key], Set: set, From: s.Given[f.Key].From}
	}
	return out
}

// Change sets values, and takes those that are nil back to their defaults: all of them or, with errors at their keys, none.
// It is in force when Change returns.
func (s *Service) Change(ctx context.Context, actor domain.Actor, values map[string]*string) error {
	good, err := s.check(values)
	if err != nil {
		return err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	var all map[string]string
	err = s.Store.InTx(ctx, func(tx Tx) error {
		var err error
		if all, err = tx.Settings(ctx, prefix); err != nil {
			return err
		}
		detail, err := change(ctx, tx, all, good)
		if err != nil || len(detail) == 0 {
			return err
		}
		return tx.InsertAudit(ctx,
			domain.AuditEntry{At: s.Clock().UTC(), Actor: actor, Action: "settings.changed", ObjectKind: "settings", ObjectID: "site",
				Detail: detail})
	})
	if err == nil {
		s.take(all)
	}
	return err
}

func (s *Service) check(values map[string]*string) (map[string]*string, error) {
	var errs domain.Errors
	good := map[string]*string{}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if g, fixed := s.Given[key]; fixed {
			errs = append(errs, domain.Errorf(domain.Conflict, "This is set by %s.", g.From).Fix("Change it there and start the server again.").
				At(key))
			continue
		}
		f, known := field(key)
		if values[key] == nil && known {
			good[key] = nil
			continue
		}
		text := ""
		if values[key] != nil {
			text = *values[key]
		}
		value, err := Check(key, text)
		errs = errs.With(err)
		good[key] = &value
		if value == strings.TrimSpace(f.Default) {
			good[key] = nil
		}
	}
	return good, errs.OrNil()
}

// change writes what differs from what is stored, here and there, and returns what it was for the audit.
func change(ctx context.Context, tx Tx, all map[string]string, values map[string]*string) (map[string]string, error) {
	detail := map[string]string{}
	for key, value := range values {
		was, set := all[prefix+key]
		switch {
		case value == nil && set:
			if err := tx.DropSetting(ctx, prefix+key); err != nil {
				return nil, err
			}
			delete(all, prefix+key)
			detail[key] = "the default again"
		case value != nil && (!set || was != *value):
			if err := tx.PutSetting(ctx, prefix+key, *value); err != nil {
				return nil, err
			}
			all[prefix+key] = *value
			detail[key] = Brief(*value)
			if key == KeyLogo {
				detail[key] = "a picture"
			}
		}
	}
	return detail, nil
}

// Brief is a value in one short line, for the audit and the terminal.
func Brief(s string) string {
	s = oneLine(s)
	if r := []rune(s); len(r) > 200 {
		return string(r[:200]) + " …"
	}
	return s
}
