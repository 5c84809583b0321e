package git

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzTree reads any listing of a commit, and writes what it lists out of any stream of contents; nothing leaves the folder.
func FuzzTree(f *testing.F) {
	object := strings.Repeat("a", 40)
	f.Add([]byte("100644 blob "+object+"       3\tpyproject.toml\x00100644 blob "+object+"       0\ta/b.py\x00"), []byte(object+" blob 3\nabc\n"+object+" blob 0\n\n"))
	f.Add([]byte("120000 blob "+object+" 3\tlink\x00"), []byte{})
	f.Add([]byte("160000 commit "+object+" -\tsub\x00"), []byte{})
	f.Add([]byte("100644 blob "+object+" -5\tx\x00"), []byte(object+" blob -5\n"))
	f.Add([]byte("100644 blob "+object+" 1\t../x\x00100644 blob "+object+" 1\t/x\x00"), []byte("x"))
	f.Add([]byte("100644 blob "+object+" 1\ta\x00100644 blob "+object+" 1\ta/b\x00"), []byte(object+" blob 1\na\n"+object+" blob 1\na\n"))
	limits := Limits{Files: 20, Bytes: 1 << 16}
	f.Fuzz(func(t *testing.T, listing, contents []byte) {
		entries, err := readTree(bufio.NewReader(bytes.NewReader(listing)), limits)
		if err != nil {
			return
		}
		sum := int64(0)
		for _, e := range entries {
			if sum += e.size; e.size < 0 || !filepath.IsLocal(e.path) {
				t.Errorf("the entry %+v is taken", e)
			}
		}
		if len(entries) > limits.Files || sum > limits.Bytes {
			t.Errorf("%d files with %d bytes are taken", len(entries), sum)
		}
		if len(entries) == 0 || len(contents) == 0 {
			return
		}
		root, err := os.OpenRoot(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		in := bufio.NewReader(bytes.NewReader(contents))
		for _, e := range entries {
			if writeOne(root, e, in) != nil {
				return
			}
		}
	})
}

// FuzzAddress checks any address of a repository: what is taken is https without a name or password.
func FuzzAddress(f *testing.F) {
	for _, a := range []string{"https://git.example.org/team/app.git", "https://a:b@example.org/x", "file:///etc", "/srv/x", "https://[::1]:1/x", "https://example.org\n/x", "ext::sh -c x", "--upload-pack=x"} {
		f.Add(a)
	}
	f.Fuzz(func(t *testing.T, address string) {
		if checkRepository(address, false) == nil && (!strings.HasPrefix(address, "https://") || strings.ContainsAny(address, " \r\n\x00")) {
			t.Errorf("%q is taken", address)
		}
	})
}
