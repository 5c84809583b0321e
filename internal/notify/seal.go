package notify

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// target is what a webhook keeps sealed.
type target struct {
	URL    string `json:"url"`
	Secret string `json:"secret"`          // signs what is sent
	Token  string `json:"token,omitempty"` // of Matrix
}

// Sealer encrypts what webhooks keep secret, with a key of the data directory: the database alone does not tell it.
type Sealer struct{ aead cipher.AEAD }

// OpenSealer reads the key in a folder, or makes both.
func OpenSealer(dir string) (*Sealer, error) {
	path := filepath.Join(dir, "webhooks.key")
	key, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		key = make([]byte, 32)
		_, _ = rand.Read(key) // never fails
		err = writeKey(dir, path, key)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the key of webhooks: %w", err)
	}
	if len(key) != 32 {
		return nil, domain.Errorf(domain.Invalid, "The file %s is damaged.",
			path).Fix("Restore it from a backup, or remove it and set up the webhooks again.")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &Sealer{aead}, err
}

// writeKey writes the key so that a crash leaves a whole file or none.
func writeKey(dir, path string, key []byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".webhooks-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(key)
	err = errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// seal encrypts a target for the webhooks of a federation: it cannot be moved to another one's.
func (s *Sealer) seal(fedID int64, t target) ([]byte, error) {
	text, err := json.Marshal(t) //nolint:gosec // it is encrypted below
	if err != nil {
		return nil, err
	}
	return s.aead.Seal(nil, nil, text, aad(fedID)), nil //nolint:gosec // this AEAD makes a nonce itself
}

func (s *Sealer) open(w domain.Webhook) (t target, err error) {
	text, err := s.aead.Open(nil, nil, w.Sealed, aad(w.FederationID))
	if err != nil {
		return t, domain.Errorf(domain.Conflict, "The secrets of this webhook cannot be read: they were stored with another key.").
			Fix("Enter its URL again. The key is the file notify/webhooks.key of the data directory.").Because(err)
	}
	return t, json.Unmarshal(text, &t)
}

func aad(fedID int64) []byte { return []byte("webhook of federation " + strconv.FormatInt(fedID, 10)) }

// secretPrefix marks a webhook's secret, as Standard Webhooks has it.
const secretPrefix = "whsec_"

func newSecret() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return secretPrefix + base64.StdEncoding.EncodeToString(key)
}

// sign returns the value of the header webhook-signature, as Standard Webhooks has it: HMAC-SHA256 over id, time and body.
func sign(secret, id string, at time.Time, body []byte) (string, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
	if err != nil {
		return "", fmt.Errorf("reading the secret of a webhook: %w", err)
	}
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "%s.%d.", id, at.Unix()) // writing to a hash never fails
	_, _ = mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}
