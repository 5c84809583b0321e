package onboarding

import (
	"context"
	"fmt"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/events"
)

// maxDescription bounds what a federation says of itself, in bytes.
const maxDescription = 4000

// CreateFederation adds a federation.
func (s *Service) CreateFederation(ctx context.Context, actor domain.Actor, f domain.Federation) (domain.Federation, error) {
	f.Name, f.Description = domain.Line(f.Name), domain.Text(f.Description)
	if err := domain.CheckSlug(f.Slug); err != nil {
		return f, err
	}
	if err := domain.CheckTotal(f.TotalPartitions); err != nil {
		return f, err
	}
	if err := checkTexts(f).OrNil(); err != nil {
		return f, err
	}
	f.Parallel, f.CreatedAt = max(f.Parallel, 1), s.now()
	if f.Limits == (domain.Limits{}) {
		f.Limits = domain.DefaultLimits
	}
	err := s.Store.InTx(ctx, func(tx Tx) error {
		if err := tx.InsertFederation(ctx, &f); err != nil {
			return err
		}
		return tx.InsertAudit(ctx,
			domain.AuditEntry{At: s.now(), Actor: actor, Action: "federation.created", ObjectKind: "federation", ObjectID: f.Slug,
				FederationID: f.ID,
				Detail:       map[string]string{"partitions": fmt.Sprint(f.TotalPartitions), "engine": f.Engine.String()}})
	})
	return f, err
}

// Resize changes a federation's total of partitions. Growing takes effect at once; shrinking below a held partition is a
// [domain.Conflict] that names the holders.
func (s *Service) Resize(ctx context.Context, actor domain.Actor, fedID int64, total int) (domain.Federation, error) {
	if err := domain.CheckTotal(total); err != nil {
		return domain.Federation{}, err
	}
	return s.changeFederation(ctx, actor, fedID, "federation.resized", func(tx Tx, f *domain.Federation) (map[string]string, error) {
		held, err := tx.HeldPartitions(ctx, fedID)
		if err != nil {
			return nil, err
		}
		var holders []string
		for p := total; p < f.TotalPartitions; p++ {
			if r, taken := held[p]; taken {
				holders = append(holders, fmt.Sprintf("%s (partition %d)", r.Name, p))
			}
		}
		if len(holders) > 0 {
			return nil, domain.Errorf(domain.Conflict, "%d partitions are too few for %s.", total, strings.Join(holders, ", ")).
				Fix("Revoke their access first, or keep a larger total.").At("partitions")
		}
		detail := map[string]string{"from": fmt.Sprint(f.TotalPartitions), "to": fmt.Sprint(total)}
		f.TotalPartitions = total
		return detail, nil
	})
}

// WantEngine keeps whether the federation's SuperLink should be up.
func (s *Service) WantEngine(ctx context.Context, actor domain.Actor, fedID int64, up bool) (domain.Federation, error) {
	action := "superlink.stopped"
	if up {
		action = "superlink.started"
	}
	return s.changeFederation(ctx, actor, fedID, action, func(_ Tx, f *domain.Federation) (map[string]string, error) {
		f.EngineWanted, f.EngineIdle = up, false
		return nil, nil
	})
}

func (s *Service) changeFederation(ctx context.Context, actor domain.Actor, fedID int64, action string,
	change func(Tx, *domain.Federation) (map[string]string, error)) (domain.Federation, error) {
	var f domain.Federation
	err := s.Store.InTx(ctx, func(tx Tx) error {
		var err error
		if f, err = tx.FederationByID(ctx, fedID); err != nil {
			return err
		}
		before := f
		detail, err := change(tx, &f)
		if err != nil || f == before {
			return err
		}
		if err := tx.UpdateFederation(ctx, f); err != nil {
			return err
		}
		return tx.InsertAudit(ctx,
			domain.AuditEntry{At: s.now(), Actor: actor, Action: action, ObjectKind: "federation", ObjectID: f.Slug, FederationID: f.ID,
				Detail: detail})
	})
	if err == nil {
		s.Events.Publish(events.Event{Topic: FederationTopic(fedID), Kind: "changed"})
	}
	return f, err
}

func checkTexts(f domain.Federation) (errs domain.Errors) {
	if f.Name == "" || len(f.Name) > maxShort {
		errs = append(errs, domain.Errorf(domain.Invalid, "A name has 1 to %d bytes.", maxShort).At("name"))
	}
	if len(f.Description) > maxDescription {
		errs = append(errs, domain.Errorf(domain.Invalid, "This is longer than %d bytes.", maxDescription).At("description"))
	}
	if len(f.Asking.Question) > 2*maxShort {
		errs = append(errs, domain.Errorf(domain.Invalid, "A question has up to %d bytes.", 2*maxShort).At("question"))
	}
	return errs
}

// Configure changes what a federation says of itself and how people ask to join it.
func (s *Service) Configure(ctx context.Context, actor domain.Actor, fedID int64, name, description string,
	asking domain.Asking) (domain.Federation, error) {
	want := domain.Federation{Name: domain.Line(name), Description: domain.Text(description), Asking: asking}
	want.Asking.Question = domain.Line(asking.Question)
	errs := checkTexts(want)
	if asking.Proof != domain.ProofBoth && asking.Proof != domain.ProofEither {
		errs = append(errs, domain.Errorf(domain.Invalid, "Choose %s or %s.", domain.ProofBoth, domain.ProofEither).At("proof"))
	}
	if err := errs.OrNil(); err != nil {
		return domain.Federation{}, err
	}
	return s.changeFederation(ctx, actor, fedID, "federation.configured", func(_ Tx, f *domain.Federation) (map[string]string, error) {
		f.Name, f.Description, f.Asking = want.Name, want.Description, want.Asking
		return map[string]string{"name": f.Name, "proof": string(f.Asking.Proof), "invitations_only": fmt.Sprint(f.Asking.InvitationsOnly)}, nil
	})
}
