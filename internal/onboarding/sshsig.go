package onboarding

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/pem"
	"fmt"

	"blossomtune/internal/domain"

	"golang.org/x/crypto/ssh"
)

// sshsigMagic and the two structures below are OpenSSH's PROTOCOL.sshsig: what `ssh-keygen -Y sign` writes, and what it signs.
const sshsigMagic = "SSHSIG"

type sshsigBlob struct {
	Version   uint32
	PublicKey string
	Namespace string
	Reserved  string
	HashAlg   string
	Signature string
}

type sshsigSigned struct {
	Namespace string
	Reserved  string
	HashAlg   string
	Hash      string
}

// maxSignature bounds an uploaded signature; one of P-521 has about 500 bytes.
const maxSignature = 4 << 10

// verifySSHSig checks that text signed message for the namespace with key. ssh-keygen signs a file as it is, so a message with
// and one without a newline at its end are both taken.
func verifySSHSig(key *ecdsa.PublicKey, namespace string, message, text []byte) error {
	bad := func(why string) error {
		return domain.Errorf(domain.Invalid, "%s", why).
			Fix("Sign the shown text with: ssh-keygen -Y sign -f KEY -n %s FILE, and give what it writes.", namespace).At("signature")
	}
	if len(text) > maxSignature {
		return bad("The signature is too long.")
	}
	block, _ := pem.Decode(bytes.TrimSpace(text))
	if block == nil || block.Type != "SSH SIGNATURE" {
		return bad("This is not a block of type SSH SIGNATURE.")
	}
	body, ok := bytes.CutPrefix(block.Bytes, []byte(sshsigMagic))
	var blob sshsigBlob
	if !ok || ssh.Unmarshal(body, &blob) != nil || blob.Version != 1 {
		return bad("The signature cannot be read.")
	}
	if blob.Namespace != namespace {
		return bad("The signature is for another purpose than " + namespace + ".")
	}
	pub, err := ssh.NewPublicKey(key)
	if err != nil {
		return bad("The key is not one that ssh-keygen can sign with.")
	}
	if !bytes.Equal(pub.Marshal(), []byte(blob.PublicKey)) {
		return bad("The signature was made with another key.")
	}
	var sig ssh.Signature
	if ssh.Unmarshal([]byte(blob.Signature), &sig) != nil {
		return bad("The signature cannot be read.")
	}
	for _, m := range [][]byte{message, append(bytes.Clone(message), '\n')} {
		hash, ok := sshsigHash(blob.HashAlg, m)
		if !ok {
			return bad(fmt.Sprintf("The signature uses the unknown hash %q.", domain.Cut(blob.HashAlg, 40)))
		}
		signed := append([]byte(sshsigMagic),
			ssh.Marshal(sshsigSigned{Namespace: blob.Namespace, Reserved: blob.Reserved, HashAlg: blob.HashAlg, Hash: string(hash)})...)
		if pub.Verify(signed, &sig) == nil {
			return nil
		}
	}
	return bad("The signature does not belong to the shown text.")
}

func sshsigHash(alg string, m []byte) ([]byte, bool) {
	switch alg {
	case "sha512":
		sum := sha512.Sum512(m)
		return sum[:], true
	case "sha256":
		sum := sha256.Sum256(m)
		return sum[:], true
	}
	return nil, false
}
