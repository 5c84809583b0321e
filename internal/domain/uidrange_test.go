package domain

import "testing"

// Each federation has a user ID of its own, and one that finds none is refused with the setting to change.
func TestFederationsHaveDifferentUIDs(t *testing.T) {
	r, err := ParseUIDRange("60706-60708")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for fed := range int64(3) {
		uid, err := r.Of(fed + 1)
		if err != nil || uid < 60706 || uid > 60708 || seen[uid] {
			t.Errorf("federation %d: %d, %v", fed+1, uid, err)
		}
		seen[uid] = true
	}
	if _, err := r.Of(4); CodeOf(err) != Unavailable {
		t.Errorf("the fourth federation of three user IDs: %v", err)
	}
	if uid, err := (UIDRange{}).Of(4); uid != 0 || err != nil {
		t.Errorf("off: %d, %v", uid, err)
	}
	ids := map[int]bool{}
	for i := range byte(100) {
		ids[r.ByHash([32]byte{7: i})] = true
	}
	if len(ids) != 3 || !ids[60706] || !ids[60708] || (UIDRange{}).ByHash([32]byte{1}) != 0 {
		t.Errorf("a hundred hashes have the IDs %v", ids)
	}
	for _, text := range []string{"", "5", "0-10", "999-2000", "2000-1999", "60000-70000", "x-y", "1000-99999999999"} {
		if r, err := ParseUIDRange(text); err == nil {
			t.Errorf("%q is %v", text, r)
		}
	}
}
