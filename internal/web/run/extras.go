package run

import (
	"context"
	"net/http"

	"blossomtune/internal/domain"
	"blossomtune/internal/download"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// runExtras is what a run's page shows beside the run itself: links to it, its description while it is changed.
type runExtras struct {
	base      string         // the address that its parts are below; "": its own
	shares    []domain.Share // for managers
	newLink   string         // a link that was made just now
	receipt   int64          // the size of its receipt; 0 until it is made
	signer    string         // the id of the key that signs receipts
	keep      domain.KeepRule
	swept     domain.Swept  // At is zero while its files are there
	undo      bool          // its note or tags were changed just now
	errs      ui.FormErrors // of its note and tags
	shareErrs ui.FormErrors
}

func (s *Pages) extras(ctx context.Context, v *visit.Visit, d *runDetail) (err error) {
	if v.Manager() {
		if d.shares, err = s.Runs.Shares(ctx, d.run); err != nil {
			return err
		}
	}
	if d.keep, err = s.Runs.KeepRule(ctx, d.run.FederationID); err != nil {
		return err
	}
	if d.swept, err = s.Runs.SweptOf(ctx, d.run); err != nil {
		return err
	}
	d.receipt, d.signer, err = s.Runs.ReceiptSize(ctx, d.run)
	return err
}

// Receipt gives a run's receipt out, byte for byte as it was signed.
func (s *Pages) Receipt(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	run, err := s.Run(r.Context(), r, v)
	if err != nil {
		return err
	}
	text, err := s.Runs.Receipt(r.Context(), run)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Disposition", visit.Attachment(run.Name+".receipt.json"))
	download.Bytes(w, r, text)
	return nil
}

// at is the address that the run's parts are below.
func (d runDetail) at() string {
	if d.base != "" {
		return d.base
	}
	return "/f/" + d.Fed.Slug + "/runs/" + d.run.Name
}
