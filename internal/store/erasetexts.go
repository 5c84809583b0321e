package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"blossomtune/internal/domain"
)

// writtenBy are the columns that hold the name of who did something, without their id.
var writtenBy = [][2]string{{"request", "decided_by"}, {"invitation", "created_by"}, {"approval_rule", "created_by"},
	{"app_origin", "added_by"},
	{"app_preset", "created_by"}, {"run", "created_by"}, {"run", "deleted_by"}, {"share", "created_by"}, {"webhook", "created_by"}}

// eraseWriters replaces the person as the one who did something.
func (tx *Tx) eraseWriters(ctx context.Context, words personWords) error {
	for _, c := range writtenBy {
		if err := tx.eraseValues(ctx, c[0], c[1], words.eraseName); err != nil {
			return err
		}
	}
	return nil
}

// eraseAddresses removes what was addressed to the person: asks, and invitations, which nobody can use from then on.
func (tx *Tx) eraseAddresses(ctx context.Context, words personWords) error {
	theirs := func(address string) bool { return slices.Contains(words.addresses, simple(address)) }
	err := tx.eraseValues(ctx, "invitation", "email", func(address string) string {
		if theirs(address) {
			return words.nobody // an empty one would let everybody use the invitation
		}
		return address
	})
	if err != nil {
		return err
	}
	asked, err := list(ctx, tx, "ask", scanText, "SELECT DISTINCT email FROM ask")
	if err != nil {
		return err
	}
	for _, address := range asked {
		if theirs(address) {
			if err := tx.exec(ctx, "ask", "DELETE FROM ask WHERE email = $1", address); err != nil {
				return err
			}
		}
	}
	return nil
}

// eraseValues changes the values of a column.
func (tx *Tx) eraseValues(ctx context.Context, table, column string, erase func(string) string) error {
	values, err := list(ctx, tx, table, scanText, fmt.Sprintf("SELECT DISTINCT %s FROM %s", column, table))
	if err != nil {
		return err
	}
	for _, v := range values {
		if now := erase(v); now != v {
			if err := tx.exec(ctx, table, fmt.Sprintf("UPDATE %[1]s SET %[2]s = $2 WHERE %[2]s = $1", table, column), v, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// eraseCauses takes the person out of the causes of runs that they stopped.
func (tx *Tx) eraseCauses(ctx context.Context, words personWords) error {
	return tx.eraseJSON(ctx, words, "run", "cause", func(text string) (any, error) {
		var cause domain.Cause
		err := json.Unmarshal([]byte(text), &cause)
		cause.Message = words.eraseName(cause.Message)
		return cause, err
	})
}

// eraseNotices takes the person out of notices, of which some may not be mailed yet.
func (tx *Tx) eraseNotices(ctx context.Context, words personWords) error {
	named := func(nodes []domain.NoticeNode) {
		for i := range nodes {
			nodes[i].Name = words.eraseName(nodes[i].Name)
		}
	}
	return tx.eraseJSON(ctx, words, "notice", "facts", func(text string) (any, error) {
		var facts domain.NoticeFacts
		err := json.Unmarshal([]byte(text), &facts)
		named(facts.Nodes)
		facts.Text = words.eraseWords(facts.Text)
		if facts.Run != nil {
			named(facts.Run.Who)
			facts.Run.Cause = words.eraseName(facts.Run.Cause)
		}
		return facts, err
	})
}

// eraseJSON changes those values of a column with JSON that could name the person.
func (tx *Tx) eraseJSON(ctx context.Context, words personWords, table, column string, erase func(string) (any, error)) error {
	changed := map[int64]string{}
	err := each(ctx, tx, table, scanNumbered, func(v numbered) error {
		if !words.maybe(v.text) {
			return nil
		}
		now, err := erase(v.text)
		if err != nil {
			return fmt.Errorf("reading the %s of %s %d: %w", column, table, v.id, err)
		}
		changed[v.id], err = asJSON(now)
		return err
	}, fmt.Sprintf("SELECT id, %s FROM %s", column, table))
	for id, text := range changed {
		if err == nil {
			err = tx.one(ctx, table, fmt.Sprintf("UPDATE %s SET %s = $2 WHERE id = $1", table, column), id, text)
		}
	}
	return err
}

type numbered struct {
	id   int64
	text string
}

func scanNumbered(s scanner) (v numbered, err error) { return v, s.Scan(&v.id, &v.text) }

// eraseMails deletes the mails to the person and takes them out of those to others.
func (tx *Tx) eraseMails(ctx context.Context, words personWords) error {
	var theirs []int64
	var changed []domain.Mail
	err := each(ctx, tx, "mail", scanMail, func(m domain.Mail) error {
		if slices.Contains(words.addresses, simple(m.To)) {
			theirs = append(theirs, m.ID)
			return nil
		}
		if !words.maybe(m.Subject, m.Text) {
			return nil
		}
		before := m
		if m.Subject, m.Text = words.eraseWords(m.Subject), words.eraseWords(m.Text); m != before {
			changed = append(changed, m)
		}
		return nil
	}, "SELECT "+mailColumns+" FROM mail ORDER BY id")
	if err != nil {
		return err
	}
	for _, id := range theirs {
		if err := tx.exec(ctx, "mail", "DELETE FROM mail WHERE id = $1", id); err != nil {
			return err
		}
	}
	for _, m := range changed {
		if err := tx.one(ctx, "mail", "UPDATE mail SET subject = $2, body = $3 WHERE id = $1", m.ID, m.Subject, m.Text); err != nil {
			return err
		}
	}
	return nil
}

// eraseAnswers deletes the kept answers of the API that name the person. Such a call, sent again, is carried out again.
func (tx *Tx) eraseAnswers(ctx context.Context, words personWords) error {
	type call struct {
		person int64
		key    string
	}
	var named []call
	err := each(ctx, tx, "call", func(s scanner) (c domain.IdempotentCall, err error) {
		return c, s.Scan(&c.PersonID, &c.KeyHash, &c.Answer)
	}, func(c domain.IdempotentCall) error {
		if words.named(c.Answer) {
			named = append(named, call{c.PersonID, c.KeyHash})
		}
		return nil
	}, "SELECT person_id, key_hash, answer FROM idempotent_call WHERE answer <> ''")
	if err != nil {
		return err
	}
	for _, c := range named {
		if err := tx.ForgetCall(ctx, c.person, c.key); err != nil {
			return err
		}
	}
	return nil
}
