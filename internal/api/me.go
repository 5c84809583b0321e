package api

import (
	"context"
	"net/http"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

type uploadInput struct {
	RequestPath
	Body client.UploadKey
}

func (a *api) me() {
	add(a, op("me", http.MethodGet, "/me", "Who calls", signedIn), a.whoAmI)
	add(a, op("my-requests", http.MethodGet, "/me/requests", "The caller's own requests, newest first", signedIn), a.myRequests)
	add(a, holdsSecret(op("make-join-command", http.MethodPost, "/me/requests/{ref}/token", "Make a join command for an approved request", signedIn)),
		a.makeToken)
	add(a, holdsSecret(op("make-challenge", http.MethodPost, "/me/requests/{ref}/challenge", "A text to sign, to prove that a key is yours", signedIn)),
		a.makeChallenge)
	add(a, op("upload-key", http.MethodPost, "/me/requests/{ref}/key", "Enrol a key that you made by hand", signedIn), a.uploadKey)
	add(a, op("withdraw", http.MethodPost, "/me/requests/{ref}/withdraw", "Withdraw a request that is not decided", signedIn), a.withdraw)
}

func (a *api) whoAmI(ctx context.Context, _ *none) (*body[client.Me], error) {
	p := callerOf(ctx).person
	return answer(client.Me{Email: p.Email, Name: p.Name, Admin: p.Admin}), nil
}

func (a *api) myRequests(ctx context.Context, _ *none) (*body[[]client.Request], error) {
	all, err := a.Onboarding.MyRequests(ctx, callerOf(ctx).person.ID)
	if err != nil {
		return nil, err
	}
	out := []client.Request{}
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

func (a *api) makeToken(ctx context.Context, in *RequestPath) (*body[client.JoinCommand], error) {
	r, err := a.mine(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	token, expires, err := a.Onboarding.NewJoinToken(ctx, callerOf(ctx).actor, r.ID)
	if err != nil {
		return nil, err
	}
	url := a.Connection().PublicURL
	return answer(client.JoinCommand{URL: url, Token: token, Command: "echo " + token + " | blossomtune join " + url + " --token -",
		ExpiresAt: expires}), nil
}

func (a *api) makeChallenge(ctx context.Context, in *RequestPath) (*body[client.Challenge], error) {
	r, err := a.mine(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	text, err := a.Onboarding.Challenge(ctx, r.ID)
	return answer(client.Challenge{Challenge: text}), err
}

func (a *api) uploadKey(ctx context.Context, in *uploadInput) (*body[client.UploadedKey], error) {
	r, err := a.mine(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	k, err := a.Onboarding.EnrolUpload(ctx, callerOf(ctx).actor, r.ID, in.Body.PublicKey, in.Body.Challenge, in.Body.Signature)
	if err != nil {
		return nil, err
	}
	return answer(client.UploadedKey{Fingerprint: k.Fingerprint, Partition: k.Partition}), nil
}

func (a *api) withdraw(ctx context.Context, in *RequestPath) (*none, error) {
	r, err := a.mine(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	_, err = a.Onboarding.Withdraw(ctx, callerOf(ctx).actor, r.ID)
	return nil, err
}
