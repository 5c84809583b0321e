package mail

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"blossomtune/internal/domain"
)

// Mailjet is Mailjet's HTTP API (Send API v3.1), for hosts from which SMTP is not allowed out.
type Mailjet struct {
	Key, Secret string // empty: mails go by SMTP
	URL         string // https://api.mailjet.com
}

// refused is an answer that no later try changes.
type refused struct{ why string }

func (r *refused) Error() string { return r.why }

const maxMailjet = 64 << 10

func (s *Service) sendMailjet(ctx context.Context, m domain.Mail) error {
	type address struct{ Email, Name string }
	body, err := json.Marshal(map[string]any{"Messages": []any{map[string]any{
		"From": address{onWire(s.From), s.Site.Name()}, "To": []address{{Email: onWire(m.To)}}, "Subject": m.Subject, "TextPart": m.Text,
		"HTMLPart": htmlOf(m, s.brand()),
		"CustomID": itoa(m.ID), "TrackOpens": "disabled", "TrackClicks": "disabled",
	}}})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(s.Mailjet.URL, "/")+"/v3.1/send", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.SetBasicAuth(s.Mailjet.Key, s.Mailjet.Secret)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("calling Mailjet: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxMailjet))
	if err != nil {
		return fmt.Errorf("reading Mailjet's answer: %w", err)
	}
	return mailjetAnswer(res.StatusCode, text)
}

// mailjetAnswer reads what became of the one message.
func mailjetAnswer(status int, text []byte) error {
	var answer struct {
		ErrorMessage string
		Messages     []struct {
			Status string
			Errors []struct{ ErrorMessage string }
		}
	}
	readable := json.Unmarshal(text, &answer) == nil
	why := answer.ErrorMessage
	for _, m := range answer.Messages {
		for _, e := range m.Errors {
			why = e.ErrorMessage
		}
	}
	switch {
	case status == http.StatusOK && readable && len(answer.Messages) == 1 && answer.Messages[0].Status == "success":
		return nil
	case status == http.StatusBadRequest:
		return &refused{"Mailjet refuses the mail: " + why}
	}
	return fmt.Errorf("mailjet answers with %d: %s", status, why)
}
