package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	"blossomtune/internal/domain"
)

const appColumns = "hash, publisher, name, version, summary, source, config, presets, created_at"

// exactJSON decodes with whole numbers kept as int64, so that a config value keeps its kind.
func exactJSON(text string, into any) error {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	return d.Decode(into)
}

// exactNumber turns a decoded value into what the config had: int64, float64, string or bool. A number that JSON cannot hold is stored
// as TOML's word for it, see [domain.JSONValue].
func exactNumber(v any, kind domain.ConfigKind) any {
	if text, ok := v.(string); ok && kind == domain.KindFloat {
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return f
		}
	}
	n, ok := v.(json.Number)
	if !ok {
		return v
	}
	if kind != domain.KindFloat {
		if i, err := n.Int64(); err == nil {
			return i
		}
	}
	f, err := n.Float64()
	if err != nil {
		return math.NaN()
	}
	return f
}

// putSchema encodes an app's config schema.
func putSchema(keys []domain.ConfigKey) (string, error) {
	out := make([]domain.ConfigKey, len(keys))
	for i, k := range keys {
		k.Default = domain.JSONValue(k.Default)
		k.Choices = slices.Clone(k.Choices)
		for j := range k.Choices {
			k.Choices[j] = domain.JSONValue(k.Choices[j])
		}
		out[i] = k
	}
	return asJSON(out)
}

func scanApp(s scanner, more ...any) (a domain.AppVersion, err error) {
	var config, presets string
	var created int64
	if err = s.Scan(append([]any{&a.Hash, &a.Publisher, &a.Name, &a.Version, &a.Summary, &a.Source, &config, &presets, &created},
		more...)...); err != nil {
		return a, err
	}
	a.CreatedAt = moment(created)
	if err = exactJSON(config, &a.Config); err != nil {
		return a, err
	}
	if err = json.Unmarshal([]byte(presets), &a.Presets); err != nil {
		return a, err
	}
	for i := range a.Config {
		k := &a.Config[i]
		k.Default = exactNumber(k.Default, k.Kind)
		for j := range k.Choices {
			k.Choices[j] = exactNumber(k.Choices[j], k.Kind)
		}
	}
	return a, nil
}

// PutAppVersion keeps an app version; one with the same hash is left as it is.
func (tx *Tx) PutAppVersion(ctx context.Context, a domain.AppVersion) error {
	config, err := putSchema(a.Config)
	if err != nil {
		return err
	}
	presets, err := asJSON(append([]domain.Preset{}, a.Presets...))
	if err != nil {
		return err
	}
	return tx.exec(ctx, "app version", `INSERT INTO app_version (hash, publisher, name, version, summary, source, config, presets, fab,
		created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (hash) DO NOTHING`,
		a.Hash, a.Publisher, a.Name, a.Version, a.Summary, a.Source, config, presets, a.FAB, millis(a.CreatedAt))
}

// AppVersionByHash returns an app version, with the FAB's bytes only where asked.
func (tx *Tx) AppVersionByHash(ctx context.Context, hash string, withFAB bool) (domain.AppVersion, error) {
	if !withFAB {
		return get(ctx, tx, "app version", func(s scanner) (domain.AppVersion, error) { return scanApp(s) },
			"SELECT "+appColumns+" FROM app_version WHERE hash = $1", hash)
	}
	return get(ctx, tx, "app version", func(s scanner) (domain.AppVersion, error) {
		var fab []byte
		a, err := scanApp(s, &fab)
		a.FAB = fab
		return a, err
	}, "SELECT "+appColumns+", fab FROM app_version WHERE hash = $1", hash)
}

// AppVersionsByPrefix returns the versions of one app whose hash begins with a prefix, which holds hex digits only.
func (tx *Tx) AppVersionsByPrefix(ctx context.Context, publisher, name, prefix string) ([]domain.AppVersion, error) {
	return list(ctx, tx, "app version", func(s scanner) (domain.AppVersion, error) { return scanApp(s) },
		"SELECT "+appColumns+" FROM app_version WHERE publisher = $1 AND name = $2 AND hash LIKE $3 ORDER BY created_at DESC, hash", publisher,
		name, prefix+"%")
}

// AppVersions returns all app versions without their FABs, newest first.
func (tx *Tx) AppVersions(ctx context.Context) ([]domain.AppVersion, error) {
	return list(ctx, tx, "app version", func(s scanner) (domain.AppVersion, error) { return scanApp(s) },
		"SELECT "+appColumns+" FROM app_version ORDER BY created_at DESC, hash")
}

// InsertAppOrigin keeps where an app version came from; a place that is known already is left as it is, and told as false.
func (tx *Tx) InsertAppOrigin(ctx context.Context, o domain.AppOrigin) (bool, error) {
	res, err := tx.q.ExecContext(ctx, `INSERT INTO app_origin (app_hash, kind, place, ref, commit_id, folder, added_by, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (app_hash, kind, place, commit_id, folder) DO NOTHING`, o.Hash, string(o.Kind), o.Place, o.Ref, o.Commit, o.Folder, o.By,
		millis(o.At))
	if err != nil {
		return false, fmt.Errorf("writing app origin: %w", err)
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// AppOrigins returns where an app version came from, the first first.
func (tx *Tx) AppOrigins(ctx context.Context, hash string) ([]domain.AppOrigin, error) {
	return list(ctx, tx, "app origin", func(s scanner) (o domain.AppOrigin, err error) {
		var at int64
		err = s.Scan(&o.Hash, &o.Kind, &o.Place, &o.Ref, &o.Commit, &o.Folder, &o.By, &at)
		o.At = moment(at)
		return o, err
	}, "SELECT app_hash, kind, place, ref, commit_id, folder, added_by, at FROM app_origin WHERE app_hash = $1 ORDER BY id", hash)
}

// HighestGrant is the highest role that a person was given in any federation.
func (tx *Tx) HighestGrant(ctx context.Context, personID int64) (domain.Role, error) {
	all, err := list(ctx, tx, "role", func(s scanner) (r domain.Role, err error) { return r, s.Scan(&r) },
		"SELECT DISTINCT role FROM role_grant WHERE person_id = $1", personID)
	highest := domain.RoleNone
	for _, r := range all {
		if r.AtLeast(highest) {
			highest = r
		}
	}
	return highest, err
}

// AppsOfHolder returns the app versions of the runs, queued ones too, that a person may see in federations of which they hold a partition.
func (tx *Tx) AppsOfHolder(ctx context.Context, personID int64) ([]string, error) {
	return list(ctx, tx, "app version", func(s scanner) (h string, err error) { return h, s.Scan(&h) }, `SELECT DISTINCT r.app_hash FROM run r
		JOIN request q ON q.federation_id = r.federation_id WHERE q.person_id = $1 AND q.state = 'approved' AND `+seenBy("r", "$1"), personID)
}

// inOwn chooses the runs that a person may see in federations that they are in, or with $1 = 1 all.
var inOwn = `r.deleted_at = 0 AND (CAST($1 AS BIGINT) = 1 OR r.federation_id IN (SELECT federation_id FROM role_grant WHERE person_id = $2)
	OR r.federation_id IN (SELECT federation_id FROM request WHERE person_id = $2 AND state = 'approved') AND ` + seenBy("r", "$2") + ")"

// AppUses tells by hash which app versions are used in the federations that a person is in, or in all.
func (tx *Tx) AppUses(ctx context.Context, personID int64, all bool) (map[string]domain.AppUse, error) {
	rows, err := list(ctx, tx, "app use", func(s scanner) (u domain.AppUse, err error) {
		err = s.Scan(&u.Hash, &u.Runs, &u.Newest.Name, &u.Newest.State, &u.Newest.Asked, &u.Newest.Contributed, &u.Federation.Slug,
			&u.Federation.Name)
		return u, err
	}, `SELECT u.app_hash, u.n, n.name, n.state, n.asked, n.contributed, f.slug, f.name
		FROM (SELECT r.app_hash, COUNT(*) AS n, MAX(r.id) AS newest FROM run r WHERE `+inOwn+` GROUP BY r.app_hash) u
		JOIN run n ON n.id = u.newest JOIN federation f ON f.id = n.federation_id`, bit(all), personID)
	out := map[string]domain.AppUse{}
	for _, u := range rows {
		out[u.Hash] = u
	}
	return out, err
}

// RunsOfApp returns the newest runs of an app version in the federations that a person is in, or in all; of each the federation's slug and
// name too.
func (tx *Tx) RunsOfApp(ctx context.Context, hash string, personID int64, all bool, n int) ([]domain.AppUse, error) {
	return list(ctx, tx, "app use", func(s scanner) (u domain.AppUse, err error) {
		var created int64
		err = s.Scan(&u.Hash, &u.Newest.Name, &u.Newest.State, &u.Newest.Asked, &u.Newest.Contributed, &created, &u.Federation.Slug,
			&u.Federation.Name)
		u.Runs, u.Newest.CreatedAt = 1, moment(created)
		return u, err
	}, fmt.Sprintf(`SELECT r.app_hash, r.name, r.state, r.asked, r.contributed, r.created_at, f.slug, f.name FROM run r
		JOIN federation f ON f.id = r.federation_id
		WHERE `+inOwn+` AND r.app_hash = $3 ORDER BY r.id DESC LIMIT %d`, limit(n)), bit(all), personID, hash)
}

// PutPreset keeps a preset of an app; one of the same name is replaced.
func (tx *Tx) PutPreset(ctx context.Context, appID string, p domain.Preset) error {
	config, err := asJSON(p.Config)
	if err != nil {
		return err
	}
	return tx.exec(ctx, "preset", `INSERT INTO app_preset (app_id, name, config, created_by, created_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (app_id, name) DO UPDATE SET config = excluded.config, created_by = excluded.created_by, created_at = excluded.created_at`,
		appID, p.Name, config, p.CreatedBy, millis(p.CreatedAt))
}

// DeletePreset removes a preset of an app.
func (tx *Tx) DeletePreset(ctx context.Context, appID, name string) error {
	return tx.one(ctx, "preset", "DELETE FROM app_preset WHERE app_id = $1 AND name = $2", appID, name)
}

// Presets returns an app's presets by name.
func (tx *Tx) Presets(ctx context.Context, appID string) ([]domain.Preset, error) {
	return list(ctx, tx, "preset", func(s scanner) (p domain.Preset, err error) {
		var config string
		var at int64
		if err = s.Scan(&p.Name, &config, &p.CreatedBy, &at); err != nil {
			return p, err
		}
		p.CreatedAt = moment(at)
		return p, json.Unmarshal([]byte(config), &p.Config)
	}, "SELECT name, config, created_by, created_at FROM app_preset WHERE app_id = $1 ORDER BY name", appID)
}
