package domain

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// UIDRange are the user IDs that apps run under where the server or the agent runs as root. On a server the federation 1 has the first, and
// so on; see [UIDRange.Of]. On a participant's machine each app version has one; see [UIDRange.ByHash]. The zero range
// has none.
type UIDRange struct{ First, Last int }

// NoUIDs is the text of the zero range.
const NoUIDs = "off"

// DefaultAppUIDs is the range of servers and agents. systemd keeps it free for uses like this.
const DefaultAppUIDs = "60706-61182"

// Least and largest user IDs of a range: those of the system and 65534 and 65535, which stand for nobody, are never given to apps.
const (
	minUID = 1000
	maxUID = 1<<31 - 1
)

// ParseUIDRange reads FIRST-LAST, or "off".
func ParseUIDRange(text string) (UIDRange, error) {
	if text == NoUIDs {
		return UIDRange{}, nil
	}
	a, b, found := strings.Cut(text, "-")
	first, err1 := strconv.Atoi(strings.TrimSpace(a))
	last, err2 := strconv.Atoi(strings.TrimSpace(b))
	if !found || err1 != nil || err2 != nil || first < minUID || last > maxUID || first > last {
		return UIDRange{}, Errorf(Invalid, "%q is not a range of user IDs.", text).
			Fix("Write it like 60706-61182, with IDs from %d on that no other user has, or off.", minUID)
	}
	if first <= 65535 && last >= 65534 {
		return UIDRange{}, Errorf(Invalid, "The range %s contains the user IDs 65534 and 65535, which have other uses.", text).
			Fix("End it at 65533, or start it at 65536.")
	}
	return UIDRange{first, last}, nil
}

// Of returns the user ID of a federation's apps, which no other federation of the server has; 0 for the zero range. It is a
// [Unavailable] error when the range is too small.
func (r UIDRange) Of(fedID int64) (int, error) {
	if r == (UIDRange{}) {
		return 0, nil
	}
	if fedID < 1 || fedID > int64(r.Last-r.First)+1 {
		return 0, Errorf(Unavailable, "The range of user IDs for apps, %s, has none left for this federation.", r).
			Fix("Ask the operator to extend the range: --app-uids or BLOSSOMTUNE_APP_UIDS. It must hold at least %d user IDs.", fedID)
	}
	return r.First + int(fedID-1), nil
}

// ByHash returns the user ID that belongs to a hash. Other hashes can have the same one. The zero range has 0.
func (r UIDRange) ByHash(hash [sha256.Size]byte) int {
	if r == (UIDRange{}) {
		return 0
	}
	return r.First + int(binary.BigEndian.Uint64(hash[:])%uint64(r.Last-r.First+1))
}

// String returns the text of [ParseUIDRange].
func (r UIDRange) String() string {
	if r == (UIDRange{}) {
		return NoUIDs
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}
