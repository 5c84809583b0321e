package api

import (
	"context"
	"net/http"
	"time"

	"blossomtune/internal/domain"
)

// Me is the caller.
type Me struct {
	Email string `json:"email"`
	Name  string `json:"name"`
	Admin bool   `json:"admin"`
}

// JoinCommand is what a participant runs. The token in it is given out once.
type JoinCommand struct {
	URL       string    `json:"url"`
	Token     string    `json:"token"`
	Command   string    `json:"command"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Challenge is a text to be signed.
type Challenge struct {
	Challenge string `json:"challenge" doc:"To be signed with ssh-keygen -Y sign -n blossomtune"`
}

type uploadInput struct {
	RequestPath
	Body struct {
		PublicKey string `json:"public_key" maxLength:"1024" doc:"PEM"`
		Challenge string `json:"challenge" maxLength:"200"`
		Signature string `json:"signature" maxLength:"4096" doc:"What ssh-keygen wrote"`
	}
}

// UploadedKey is an enrolled key.
type UploadedKey struct {
	Fingerprint string `json:"fingerprint"`
	Partition   int    `json:"partition"`
}

func (a *api) me() {
	add(a, op("me", http.MethodGet, "/me", "Who calls", signedIn), a.whoAmI)
	add(a, op("my-requests", http.MethodGet, "/me/requests", "The caller's own requests, newest first", signedIn), a.myRequests)
	add(a, op("make-join-command", http.MethodPost, "/me/requests/{ref}/token", "Make a join command for an approved request", signedIn), a.makeToken)
	add(a, op("make-challenge", http.MethodPost, "/me/requests/{ref}/challenge", "A text to sign, to prove that a key is yours", signedIn), a.makeChallenge)
	add(a, op("upload-key", http.MethodPost, "/me/requests/{ref}/key", "Enrol a key that you made by hand", signedIn), a.uploadKey)
	add(a, op("withdraw", http.MethodPost, "/me/requests/{ref}/withdraw", "Withdraw a request that is not decided", signedIn), a.withdraw)
}

func (a *api) whoAmI(ctx context.Context, _ *none) (*body[Me], error) {
	p := callerOf(ctx).person
	return answer(Me{Email: p.Email, Name: p.Name, Admin: p.Admin}), nil
}

func (a *api) myRequests(ctx context.Context, _ *none) (*body[[]Request], error) {
	all, err := a.Onboarding.MyRequests(ctx, callerOf(ctx).person.ID)
	if err != nil {
		return nil, err
	}
	out := []Request{}
	for _, r := range all {
		f, err := a.Onboarding.Federation(ctx, r.FederationID)
		if err != nil {
			return nil, err
		}
		out = append(out, requestView(r, f.Slug))
	}
	return answer(out), nil
}

// mine returns the caller's own request.
func (a *api) mine(ctx context.Context, ref string) (domain.Request, error) {
	r, err := a.Onboarding.ByRef(ctx, ref)
	if err != nil || r.PersonID != callerOf(ctx).person.ID {
		return r, domain.Errorf(domain.NotFound, "You have no such request.").Because(err)
	}
	return r, nil
}

func (a *api) makeToken(ctx context.Context, in *RequestPath) (*body[JoinCommand], error) {
	r, err := a.mine(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	token, expires, err := a.Onboarding.NewJoinToken(ctx, callerOf(ctx).actor, r.ID)
	if err != nil {
		return nil, err
	}
	url := a.Connection().PublicURL
	return answer(JoinCommand{URL: url, Token: token, Command: "blossomtune join " + url + " --token " + token, ExpiresAt: expires}), nil
}

func (a *api) makeChallenge(ctx context.Context, in *RequestPath) (*body[Challenge], error) {
	r, err := a.mine(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	text, err := a.Onboarding.Challenge(ctx, r.ID)
	return answer(Challenge{text}), err
}

func (a *api) uploadKey(ctx context.Context, in *uploadInput) (*body[UploadedKey], error) {
	r, err := a.mine(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	k, err := a.Onboarding.EnrolUpload(ctx, callerOf(ctx).actor, r.ID, in.Body.PublicKey, in.Body.Challenge, in.Body.Signature)
	if err != nil {
		return nil, err
	}
	return answer(UploadedKey{Fingerprint: k.Fingerprint, Partition: k.Partition}), nil
}

func (a *api) withdraw(ctx context.Context, in *RequestPath) (*none, error) {
	r, err := a.mine(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	_, err = a.Onboarding.Withdraw(ctx, callerOf(ctx).actor, r.ID)
	return nil, err
}
