package receipt

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"blossomtune/internal/domain"
)

// MaxEnvelope bounds a receipt that is read, in bytes.
const MaxEnvelope = 256 << 20

type envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     string      `json:"payload"`
	Signatures  []signature `json:"signatures"`
	PublicKey   string      `json:"publicKey"` // ours; others that read DSSE leave it aside
}

type signature struct {
	KeyID string `json:"keyid"`
	Sig   string `json:"sig"`
}

// pae is DSSE's pre-authentication encoding.
func pae(payloadType string, payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
}

// Sign returns the receipt of a statement.
func (s *Signer) Sign(st Statement) ([]byte, error) {
	st.Type, st.PredicateType = StatementType, PredicateType
	payload, err := json.Marshal(st)
	if err != nil {
		return nil, fmt.Errorf("writing a receipt: %w", err)
	}
	sig := ed25519.Sign(s.key, pae(PayloadType, payload))
	return json.Marshal(envelope{PayloadType: PayloadType, Payload: base64.StdEncoding.EncodeToString(payload), PublicKey: s.pem,
		Signatures: []signature{{KeyID: s.id, Sig: base64.StdEncoding.EncodeToString(sig)}}})
}

// Open checks a receipt and returns what it says, and the id of the key that signed it. With a key, only that one is taken;
// without, the one that the receipt names, whose id the caller compares. A receipt that was changed is a [domain.Invalid] error,
// one that another key signed a [domain.Forbidden] one.
func Open(text []byte, key ed25519.PublicKey) (st Statement, keyID string, err error) {
	changed := func(why string) error {
		return domain.Errorf(domain.Invalid, "The receipt is not as it was signed: %s.", why).
			Fix("Get it again from the server that ran the run.")
	}
	var e envelope
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil || d.More() {
		return st, "", changed("it cannot be read")
	}
	if e.PayloadType != PayloadType || len(e.Signatures) != 1 {
		return st, "", changed("it is no receipt of a run")
	}
	named, err := ParseKey([]byte(e.PublicKey))
	if err != nil {
		return st, "", changed("its key cannot be read")
	}
	if text, err := encodeKey(named); err != nil || text != e.PublicKey {
		return st, "", changed("more than a key stands where its key is")
	}
	if key == nil {
		key = named
	}
	keyID = KeyID(key)
	if !named.Equal(key) || e.Signatures[0].KeyID != KeyID(named) {
		return st, e.Signatures[0].KeyID, domain.Errorf(domain.Forbidden, "Another key signed this receipt.").
			Fix("Get the key from the server that ran the run: /receipt-key.pem.")
	}
	payload, err := base64.StdEncoding.Strict().DecodeString(e.Payload)
	if err != nil {
		return st, keyID, changed("its content cannot be read")
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(e.Signatures[0].Sig)
	if err != nil || !ed25519.Verify(key, pae(e.PayloadType, payload), sig) {
		return st, keyID, changed("the signature does not fit")
	}
	if err := json.Unmarshal(payload, &st); err != nil || st.Type != StatementType || st.PredicateType != PredicateType {
		return st, keyID, domain.Errorf(domain.Invalid, "This is signed, but no receipt of a run that this version knows.")
	}
	return st, keyID, nil
}

// Find returns the names of the files with a hash, such as "fab" or "artifact/model.npz".
func (st Statement) Find(sha256 string) (names []string) {
	for _, s := range st.Subject {
		if s.Digest["sha256"] == sha256 {
			names = append(names, s.Name)
		}
	}
	return names
}
