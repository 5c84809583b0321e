package onboarding

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// A challenge is stateless: what it is for, when it ends, and a MAC with a secret of this server.
const (
	challengeLife    = time.Hour
	challengeSetting = "challenge_secret"
	sshNamespace     = "blossomtune"
)

// Challenge returns the text whose signature proves that somebody holds a key: to be signed with
// `ssh-keygen -Y sign -n blossomtune`. It is valid for an hour, for this request alone.
func (s *Service) Challenge(ctx context.Context, requestID int64) (string, error) {
	secret, err := s.challengeSecret(ctx)
	if err != nil {
		return "", err
	}
	return challengeText(secret, requestID, s.now().Add(challengeLife).Unix()), nil
}

// Prepare makes what pages need that only read, once in the life of an instance.
func (s *Service) Prepare(ctx context.Context) error {
	_, err := s.challengeSecret(ctx)
	return err
}

func challengeText(secret string, requestID, until int64) string {
	head := fmt.Sprintf("blossomtune-upload:%d:%d", requestID, until)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(head))
	return head + ":" + hex.EncodeToString(mac.Sum(nil))
}

func (s *Service) challengeSecret(ctx context.Context) (secret string, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { secret, err = tx.Setting(ctx, challengeSetting); return err })
	if err != nil || secret != "" {
		return secret, err // pages that only read come here, too
	}
	fresh := randomHex(32)
	err = s.Store.InTx(ctx, func(tx Tx) error {
		if secret, err = tx.Setting(ctx, challengeSetting); err != nil || secret != "" {
			return err
		}
		secret = fresh
		return tx.PutSetting(ctx, challengeSetting, secret)
	})
	return secret, err
}

func (s *Service) checkChallenge(ctx context.Context, requestID int64, text string) error {
	secret, err := s.challengeSecret(ctx)
	if err != nil {
		return err
	}
	parts := strings.Split(text, ":")
	if len(parts) == 4 {
		until, err := strconv.ParseInt(parts[2], 10, 64)
		if err == nil && hmac.Equal([]byte(text), []byte(challengeText(secret, requestID, until))) {
			if s.now().Unix() <= until {
				return nil
			}
			return domain.Errorf(domain.Expired, "The text to sign has expired.").Fix("Reload the page and sign the new one.").At("challenge")
		}
	}
	return domain.Errorf(domain.Invalid,
		"This is not the text that was given to you to sign.").Fix("Reload the page and sign the text shown there.").At("challenge")
}

// EnrolUpload binds a key that its holder made by hand to an approved request. signature is what `ssh-keygen -Y sign` wrote.
// Keys are as unique as with [Service.Enrol].
func (s *Service) EnrolUpload(ctx context.Context, actor domain.Actor, requestID int64, publicKey, challenge,
	signature string) (domain.NodeKey, error) {
	challenge = domain.Line(challenge)
	key, fp, err := domain.ParseNodeKey([]byte(domain.Text(publicKey) + "\n"))
	if err != nil {
		return domain.NodeKey{}, err
	}
	if err := s.checkChallenge(ctx, requestID, challenge); err != nil {
		return domain.NodeKey{}, err
	}
	if err := verifySSHSig(key, sshNamespace, []byte(challenge), []byte(domain.Text(signature))); err != nil {
		return domain.NodeKey{}, err
	}
	var k domain.NodeKey
	var e Enrolment
	err = s.Store.InTx(ctx, func(tx Tx) error {
		if e, err = s.enrolment(ctx, tx, requestID); err != nil {
			return err
		}
		if old, err := tx.NodeKeyOfRequest(ctx, requestID); err == nil && old.Fingerprint == fp {
			k = old
			return nil
		}
		k, err = s.putKey(ctx, tx, actor, e.Request, key, fp, "upload")
		return err
	})
	if err != nil {
		return domain.NodeKey{}, err
	}
	s.keyChanged(e.Request)
	return k, nil
}
