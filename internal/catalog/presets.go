package catalog

import (
	"context"

	"blossomtune/internal/domain"
)

// Presets returns the presets that an app version can be launched with: its own, then those that managers saved for the app. A
// saved one may be of another version, and name keys that this one lacks.
func (s *Service) Presets(ctx context.Context, a domain.AppVersion) ([]domain.Preset, error) {
	out := append([]domain.Preset(nil), a.Presets...)
	err := s.Store.View(ctx, func(tx Tx) error {
		saved, err := tx.Presets(ctx, a.ID())
		out = append(out[:len(a.Presets)], saved...)
		return err
	})
	return out, err
}

// SavePreset keeps what of a run config differs from the app's defaults under a name, for all versions of the app; a saved preset of
// that name is replaced. Bad values are errors at "config.<key>", a bad name at "name".
func (s *Service) SavePreset(ctx context.Context, actor domain.Actor, a domain.AppVersion, name string,
	config map[string]string) (domain.Preset, error) {
	if err := checkPresetName(name); err != nil {
		return domain.Preset{}, err
	}
	for _, own := range a.Presets {
		if own.Name == name {
			return domain.Preset{}, domain.Errorf(domain.Conflict, "The app itself has a preset %s.", name).Fix("Choose another name.").At("name")
		}
	}
	changed, err := domain.ParseConfig(a.Config, config)
	if err != nil {
		return domain.Preset{}, err
	}
	p := domain.Preset{Name: name, Config: map[string]string{}, CreatedBy: actor.Name, CreatedAt: s.Clock().UTC()}
	for key, v := range changed {
		p.Config[key] = domain.ConfigText(v)
	}
	return p, s.Store.InTx(ctx, func(tx Tx) error {
		all, err := tx.Presets(ctx, a.ID())
		if err != nil {
			return err
		}
		if len(all) >= maxPresets {
			return domain.Errorf(domain.Conflict, "%s has %d presets already.", a.ID(), len(all)).Fix("Delete one first.").At("name")
		}
		if err := tx.PutPreset(ctx, a.ID(), p); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.presetEntry(actor, "preset.saved", a.ID(), name))
	})
}

// DropPreset deletes a saved preset of an app.
func (s *Service) DropPreset(ctx context.Context, actor domain.Actor, appID, name string) error {
	return s.Store.InTx(ctx, func(tx Tx) error {
		if err := tx.DeletePreset(ctx, appID, name); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.presetEntry(actor, "preset.deleted", appID, name))
	})
}

func (s *Service) presetEntry(actor domain.Actor, action, appID, name string) domain.AuditEntry {
	return domain.AuditEntry{At: s.Clock().UTC(), Actor: actor, Action: action, ObjectKind: "app", ObjectID: appID,
		Detail: map[string]string{"preset": name}}
}
