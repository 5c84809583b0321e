package engine

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

// A key that had a node id with another engine keeps it with Flower's SuperLink, also when it was registered by an attempt that was
// interrupted. Where the id cannot be set, the key has the one that Flower gave, and the log says so.
func TestAKeyKeepsItsNodeIDWithFlower(t *testing.T) {
	const given, want = uint64(5), uint64(17_000_000_000_000_000_001)
	for name, c := range map[string]struct {
		before bool // it was registered before
		fails  error
		want   uint64
		warns  bool
	}{
		"new":                {want: want},
		"registered before":  {before: true, want: want},
		"an unknown schema":  {fails: errors.New("the schema is not known"), want: want, warns: true},
		"none known earlier": {want: 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			set := [][2]uint64{}
			k := &server{link: &flowerLink{fedDir: dir, setNodeID: func(_ context.Context, path string, from, to uint64) error {
				if path != filepath.Join(dir, databaseName) {
					t.Errorf("the database is %s", path)
				}
				set = append(set, [2]uint64{from, to})
				return c.fails
			}}}
			ln, err := listenSocket(dir)
			if err != nil {
				t.Fatal(err)
			}
			keeper := &http.Server{Handler: k.routes(), ReadHeaderTimeout: time.Minute}
			go func() { _ = keeper.Serve(ln) }()
			defer keeper.Close()
			flower := httptest.NewTLSServer(registers(t, given, c.before))
			defer flower.Close()
			roots := x509.NewCertPool()
			roots.AddCert(flower.Certificate())
			var log strings.Builder
			client := wire.NewClient(strings.TrimPrefix(flower.URL, "https://"), roots)
			control := flowerControl{client, newLink(dir), slog.New(slog.NewTextHandler(&log, nil))}
			id, err := control.RegisterNode(t.Context(), []byte("key"), "partition-0", c.want)
			switch {
			case err != nil:
				t.Fatal(err)
			case c.want == 0 && (id != given || len(set) != 0):
				t.Errorf("it has id %d; set %v", id, set)
			case c.want != 0 && !c.warns && (id != want || len(set) != 1 || set[0] != [2]uint64{given, want}):
				t.Errorf("it has id %d; set %v", id, set)
			case c.warns && (id != given || !strings.Contains(log.String(), "could not keep its node ID")):
				t.Errorf("it has id %d; the log:\n%s", id, &log)
			}
		})
	}
}

// registers is Flower's Control API of nodes.
func registers(t *testing.T, id uint64, before bool) http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, m proto.Message) {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(b)
	}
	mux.HandleFunc("POST /v1/control/register-node", func(w http.ResponseWriter, _ *http.Request) {
		if before {
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"code":23,"message":"Public key already in use."}`)
			return
		}
		answer(w, &flwrpb.RegisterNodeResponse{NodeId: &id})
	})
	mux.HandleFunc("POST /v1/control/list-nodes", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, &flwrpb.ListNodesResponse{NodesInfo: []*flwrpb.NodeInfo{
			{NodeId: 1, PublicKey: []byte("other")}, {NodeId: id, PublicKey: []byte("key\n")},
		}})
	})
	return mux
}
