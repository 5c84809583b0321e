package launcher

import "testing"

// A ServerApp's sandbox has the web, or has not, as its order says.
func TestARoomFollowsItsOrder(t *testing.T) {
	for _, noWeb := range []bool{false, true} {
		j := &job{order: Order{NoWeb: noWeb}, port: 9, dir: "/d"}
		if r := j.room(); r.Hub == noWeb || r.Port != 9 || r.Dir != "/d" {
			t.Errorf("no web: %v: %+v", noWeb, r)
		}
	}
}
