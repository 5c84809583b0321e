package backup

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"blossomtune/internal/domain"

	"filippo.io/age"
)

// defaultScryptWork is the binary logarithm of how much work it is to try one passphrase: about a second.
const defaultScryptWork = 18

var scryptWork = defaultScryptWork // less in tests

// maxKeyFile bounds a file with a passphrase or identities.
const maxKeyFile = 1 << 20

// Protection says how a backup is protected. Exactly one of the fields is set.
type Protection struct {
	Recipients []string // age1…
	Passphrase string
	Clear      bool // not encrypted
}

// Check returns an error unless exactly one protection is chosen and it can be used.
func (p Protection) Check() error {
	_, err := p.recipients()
	return err
}

func (p Protection) recipients() (out []age.Recipient, err error) {
	chosen := 0
	for _, c := range []bool{len(p.Recipients) > 0, p.Passphrase != "", p.Clear} {
		if c {
			chosen++
		}
	}
	switch {
	case chosen == 0:
		return nil, domain.Errorf(domain.Invalid, "The backup would not be encrypted. It holds the server's keys and personal data.").
			Fix("Give --recipient age1…, --passphrase-file FILE or --passphrase; or --clear if the file is kept in a safe place.")
	case chosen > 1:
		return nil, domain.Errorf(domain.Invalid, "Choose one of --recipient, --passphrase or --passphrase-file, and --clear.")
	case p.Clear:
		return nil, nil
	case p.Passphrase != "":
		r, err := age.NewScryptRecipient(p.Passphrase)
		if err != nil {
			return nil, domain.Errorf(domain.Invalid, "The passphrase cannot be used.").Because(err)
		}
		r.SetWorkFactor(scryptWork)
		return []age.Recipient{r}, nil
	}
	for _, text := range p.Recipients {
		found, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil {
			return nil, notARecipient(text) // without age's error, which quotes the text
		}
		out = append(out, found...)
	}
	return out, nil
}

// notARecipient is the error about a text that was given as a recipient. It may be a secret, so only what begins as a recipient is quoted.
func notARecipient(text string) error {
	const remedy = "Recipients begin with age1. `blossomtune backup key FILE` makes one."
	if head := strings.ToUpper(strings.TrimSpace(text)); strings.HasPrefix(head, "AGE-SECRET-KEY-") {
		return domain.Errorf(domain.Invalid, "A secret key was given as the recipient of backups.").
			Fix("%s Whoever has read the key where it was given can open the backups made for it, so make a new one.", remedy)
	}
	if !strings.HasPrefix(text, "age1") {
		return domain.Errorf(domain.Invalid, "A recipient of backups does not begin with age1.").Fix(remedy)
	}
	if end := strings.IndexFunc(text, func(r rune) bool { return !('a' <= r && r <= 'z' || '0' <= r && r <= '9') }); end >= 0 {
		text = text[:end]
	}
	return domain.Errorf(domain.Invalid, "%q is not an age recipient.", domain.Cut(text, 80)).Fix(remedy)
}

// Keys open an encrypted backup.
type Keys struct {
	Identities string                 // the text of an age identity file: AGE-SECRET-KEY-…
	Passphrase func() (string, error) // asked when a backup needs one; nil: there is none
}

// scryptHead begins the stanza of a passphrase in age's header.
var scryptHead = []byte("-> scrypt ")

const (
	ageHead     = "age-encryption.org/v1\n"
	maxAgeStart = 4 << 10 // bytes of a backup's beginning that are looked at
)

// identities returns what opens a backup that begins with head.
func (k Keys) identities(head []byte) ([]age.Identity, error) {
	if bytes.Contains(head, scryptHead) {
		if k.Passphrase == nil {
			return nil, domain.Errorf(domain.Invalid,
				"The backup is encrypted with a passphrase.").Fix("Give --passphrase-file FILE or --passphrase.")
		}
		text, err := k.Passphrase()
		if err != nil {
			return nil, err
		}
		id, err := age.NewScryptIdentity(text)
		if err != nil {
			return nil, domain.Errorf(domain.Invalid, "The passphrase cannot be used.").Because(err)
		}
		id.SetMaxWorkFactor(20)
		return []age.Identity{id}, nil
	}
	if k.Identities == "" {
		return nil, domain.Errorf(domain.Invalid,
			"The backup is encrypted for an age recipient.").Fix("Give the file with its secret key: --identity FILE.")
	}
	ids, err := age.ParseIdentities(strings.NewReader(k.Identities))
	if err != nil {
		return nil, domain.Errorf(domain.Invalid, "The identity file cannot be read.").Fix("It has lines that begin with AGE-SECRET-KEY-1.")
	}
	return ids, nil
}

// ReadSecret reads a file with a passphrase or identities. The end of the last line is not part of a passphrase.
func ReadSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", domain.Errorf(domain.Invalid, "The file %s cannot be read.", path).Fix("Check its path and permissions.").Because(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" {
		return "", domain.Errorf(domain.Invalid, "The file %s is empty.", path).Fix("Write the passphrase or key into it.")
	}
	return secret, nil
}

// NewKey writes a new age identity into a file that must not exist, and returns its recipient.
func NewKey(path string) (recipient string, err error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return "", fmt.Errorf("making a key: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", domain.Errorf(domain.Conflict, "The file %s cannot be created.",
			path).Fix("Name a file that does not exist, in an existing directory.").Because(err)
	}
	_, err = fmt.Fprintf(f, "# public key: %s\n%s\n", id.Recipient(), id)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return id.Recipient().String(), err
}
