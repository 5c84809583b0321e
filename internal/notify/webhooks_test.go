package notify_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/notify"
	"blossomtune/internal/store"

	"github.com/google/go-cmp/cmp"
)

// received is one request that a receiver got.
type received struct {
	method, path, body string
	header             http.Header
}

// receiver is a real HTTP server that can be away.
type receiver struct {
	t      *testing.T
	addr   string
	mu     sync.Mutex
	got    []received
	answer func(received) int // nil: 204
	server *httptest.Server
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{t: t}
	r.up()
	r.addr = r.server.Listener.Addr().String()
	t.Cleanup(func() { r.server.Close() })
	return r
}

func (r *receiver) up() {
	r.t.Helper()
	r.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		v := received{req.Method, req.URL.Path, string(body), req.Header}
		r.mu.Lock()
		defer r.mu.Unlock()
		status := http.StatusNoContent
		if r.answer != nil {
			status = r.answer(v)
		}
		if status < 300 {
			r.got = append(r.got, v)
		}
		if status/100 == 3 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
	}))
	if r.addr != "" {
		ln, err := net.Listen("tcp", r.addr)
		if err != nil {
			r.t.Fatal(err)
		}
		r.server.Listener.Close()
		r.server.Listener = ln
	}
	r.server.Start()
}

// runs are the runs that it was told of, with the kind of each event, in order.
func (r *receiver) runs() (out []string) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range r.got {
		var e notify.Event
		if err := json.Unmarshal([]byte(v.body), &e); err != nil || e.Run == nil {
			r.t.Fatalf("%v: %s", err, v.body)
		}
		out = append(out, e.Run.Name+" "+string(e.Kind))
	}
	return out
}

var anAdmin = domain.Actor{Kind: "person", Name: "Ada", Admin: true}

// hook adds a webhook of a shape to the federation.
func (w *world) hook(shape domain.WebhookShape, url string) (domain.Webhook, string) {
	w.t.Helper()
	in := notify.WebhookInput{Name: "ops", URL: url, Shape: shape, Kinds: domain.FederationNotices, Private: true}
	if shape == domain.WebhookMatrix {
		in.Token = "syt_secret"
	}
	hook, secret, err := w.s.AddWebhook(w.ctx, anAdmin, w.fed.ID, in)
	w.must(err)
	return hook, secret
}

func (w *world) deliveries(hook domain.Webhook) []domain.Delivery {
	w.t.Helper()
	_, all, err := w.s.Deliveries(w.ctx, w.fed.ID, hook.ID, 0, 500)
	w.must(err)
	return all
}

// A receiver that is away for ten minutes, with the server restarted meanwhile, gets each event in the order of each run.
func TestNothingIsLostWhileAReceiverIsAway(t *testing.T) {
	each(t, func(w *world) {
		r := newReceiver(t)
		hook, _ := w.hook(domain.WebhookJSON, r.server.URL)
		r.server.Close()
		var want []string
		event := func(name string, k domain.NoticeKind) {
			w.ended(domain.NoticeRun{Name: name, App: "p/n"}, k)
			want = append(want, name+" "+string(k))
		}
		event("r-1", domain.NoticeRunStarted)
		w.passes(0)
		event("r-1", domain.NoticeRunFailed)
		event("r-2", domain.NoticeRunStarted)
		for range 10 {
			w.passes(time.Minute)
		}
		w.boot()
		event("r-2", domain.NoticeRunCompleted)
		w.passes(0)
		if d := w.deliveries(hook); len(d) != 4 || d[3].State != domain.DeliveryQueued || d[3].LastError != "The receiver cannot be reached." {
			t.Errorf("while it is away: %+v", d)
		}
		r.up()
		for range 20 {
			w.passes(time.Minute)
		}
		if diff := cmp.Diff(want, r.runs()); diff != "" {
			t.Errorf("received:\n%s", diff)
		}
		for _, d := range w.deliveries(hook) {
			if d.State != domain.DeliverySent || d.Status != http.StatusNoContent {
				t.Errorf("%+v", d)
			}
		}
	})
}

// What a receiver refuses is tried for more than a day and then given up; it holds up its own run alone.
func TestOneRefusedEventHoldsUpItsOwnRunAlone(t *testing.T) {
	each(t, func(w *world) {
		r := newReceiver(t)
		r.answer = func(v received) int {
			if strings.Contains(v.body, `"run_failed"`) {
				return http.StatusBadRequest
			}
			return http.StatusOK
		}
		hook, _ := w.hook(domain.WebhookJSON, r.server.URL)
		w.ended(domain.NoticeRun{Name: "bad"}, domain.NoticeRunFailed)
		w.ended(domain.NoticeRun{Name: "bad"}, domain.NoticeRunStopped)
		w.ended(domain.NoticeRun{Name: "good"}, domain.NoticeRunCompleted)
		w.passes(0)
		if got := r.runs(); !slices.Equal(got, []string{"good run_completed"}) {
			t.Errorf("at first: %v", got)
		}
		for range 25 {
			w.passes(time.Hour)
		}
		if d := w.deliveries(hook); d[2].State != domain.DeliveryQueued || d[2].Tries < 25 || d[2].Status != http.StatusBadRequest {
			t.Errorf("after a day it is %+v", d[2])
		}
		for range 12 {
			w.passes(time.Hour)
		}
		if d := w.deliveries(hook); d[2].State != domain.DeliveryDead || d[1].State != domain.DeliverySent {
			t.Errorf("in the end they are %+v, %+v", d[2], d[1])
		}
	})
}

// Each shape is what its receiver takes: signed, with partitions instead of names, and without the secrets.
func TestShapes(t *testing.T) {
	w := newWorldOnSQLite(t)
	r := newReceiver(t)
	room := "/_matrix/client/v3/rooms/!abc:example.org/send/m.room.message"
	secrets := map[string]string{}
	for shape, path := range map[domain.WebhookShape]string{domain.WebhookJSON: "/json", domain.WebhookSlack: "/slack",
		domain.WebhookText: "/text", domain.WebhookMatrix: room} {
		_, secrets[path] = w.hook(shape, r.server.URL+path)
	}
	w.ended(domain.NoticeRun{Name: "r-1", App: "p/n", AppVersion: "1.0.0", State: domain.Failed, Asked: 2, Contributed: 1, Round: 1,
		Rounds: 3, EndedAt: w.now,
		Who: []domain.NoticeNode{{Partition: 4, Name: "Site North"}}, Cause: "It raised <b>&KeyError</b>.", Remedy: "Fix it."},
		domain.NoticeRunFailed)
	w.passes(0)
	bodies := map[string]string{}
	for _, v := range r.got {
		base := v.path
		if strings.HasPrefix(v.path, room+"/msg_") {
			base = room
			if v.method != http.MethodPut || v.header.Get("Authorization") != "Bearer syt_secret" ||
				strings.TrimPrefix(v.path, room+"/") != v.header.Get("webhook-id") {
				t.Errorf("Matrix got %s %s %v", v.method, v.path, v.header)
			}
		} else if v.method != http.MethodPost {
			t.Errorf("%s got %s", v.path, v.method)
		}
		bodies[base] = v.body
		id, at := v.header.Get("webhook-id"), v.header.Get("webhook-timestamp")
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secrets[base], "whsec_"))
		if err != nil || len(key) != 32 || at != fmt.Sprint(w.now.Unix()) {
			t.Fatalf("%v, %d, %s", err, len(key), at)
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + at + "." + v.body))
		if got := v.header.Get("webhook-signature"); got != "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
			t.Errorf("%s: signature %q", v.path, got)
		}
		for _, secret := range []string{"Site North", secrets[base], "syt_secret", "@example.org"} {
			if strings.Contains(v.body, secret) {
				t.Errorf("%s: the body holds %q: %s", v.path, secret, v.body)
			}
		}
	}
	var slack struct{ Text string }
	var matrix struct{ MsgType, Body, Format, Formatted_Body string } // as Matrix names it
	var ours notify.Event
	for path, into := range map[string]any{"/slack": &slack, room: &matrix, "/json": &ours} {
		if err := json.Unmarshal([]byte(bodies[path]), into); err != nil {
			t.Errorf("%s: %v: %q", path, err, bodies[path])
		}
	}
	link := "https://fl.example.org/f/cardio/runs/r-1"
	if !strings.HasPrefix(slack.Text, "*r-1 failed in Cardio.*\n") || !strings.Contains(slack.Text,
		"It raised &lt;b&gt;&amp;KeyError&lt;/b&gt;.") || !strings.HasSuffix(slack.Text, "<"+link+"|Open>") {
		t.Errorf("Slack: %s", slack.Text)
	}
	if matrix.MsgType != "m.notice" || !strings.HasPrefix(matrix.Body, "r-1 failed in Cardio.\n\nApp: p/n 1.0.0\n") ||
		matrix.Format != "org.matrix.custom.html" || !strings.Contains(bodies[room], "formatted_body") {
		t.Errorf("Matrix: %s", bodies[room])
	}
	if text := bodies["/text"]; !strings.Contains(text, "1 of 2 contributed: partition 4.") || !strings.HasSuffix(text, link+"\n") {
		t.Errorf("text: %s", text)
	}
	if ours.Kind != domain.NoticeRunFailed || ours.Run.Name != "r-1" || ours.Federation.Slug != "cardio" || ours.Link != link ||
		ours.Run.Who[0].Partition != 4 {
		t.Errorf("JSON: %s", bodies["/json"])
	}
}

// Who changes the address of a webhook to another server must know the token: it is not sent there.
func TestATokenStaysWithItsServer(t *testing.T) {
	w := newWorldOnSQLite(t)
	room := "/_matrix/client/v3/rooms/!abc:example.org/send/m.room.message"
	hook, _ := w.hook(domain.WebhookMatrix, "https://matrix.example.org"+room)
	change := func(url, token string) error {
		_, err := w.s.ChangeWebhook(w.ctx, domain.Actor{Kind: "person", Name: "Bo"}, w.fed.ID, hook.ID,
			notify.WebhookInput{Name: "ops", Kinds: hook.Kinds, URL: url, Token: token})
		return err
	}
	if err := change("https://evil.example.org"+room, ""); domain.CodeOf(err) != domain.Invalid {
		t.Errorf("moved without the token: %v", err)
	}
	w.must(change("https://matrix.example.org"+strings.Replace(room, "abc", "other", 1), ""))
	w.must(change("https://elsewhere.example.org"+room, "syt_other"))
}

// Redirects are not followed, and without an admin's leave no private address is reached, whatever name leads there.
func TestNoWayIn(t *testing.T) {
	w := newWorldOnSQLite(t)
	r := newReceiver(t)
	r.answer = func(v received) int {
		if v.path == "/elsewhere" {
			return http.StatusOK
		}
		return http.StatusFound
	}
	hook, _ := w.hook(domain.WebhookJSON, r.server.URL)
	_, port, _ := net.SplitHostPort(r.addr)
	manager := domain.Actor{Kind: "person", Name: "Bo"}
	byName, _, err := w.s.AddWebhook(w.ctx, manager, w.fed.ID, notify.WebhookInput{Name: "in", URL: "https://localhost:" + port + "/",
		Shape: domain.WebhookJSON, Kinds: domain.FederationNotices})
	w.must(err)
	_, _, err = w.s.AddWebhook(w.ctx, manager, w.fed.ID, notify.WebhookInput{Name: "in", URL: r.server.URL, Shape: domain.WebhookJSON,
		Kinds: domain.FederationNotices, Private: true})
	if domain.CodeOf(err) == "" {
		t.Error("a manager allows private addresses")
	}
	w.ended(domain.NoticeRun{Name: "r-1"}, domain.NoticeRunFailed)
	w.passes(0)
	if d := w.deliveries(hook)[0]; len(r.got) != 0 || d.Status != http.StatusFound || d.State != domain.DeliveryQueued {
		t.Errorf("a redirect: %+v, %v", d, r.got)
	}
	if d := w.deliveries(byName)[0]; d.Status != 0 || !strings.HasPrefix(d.LastError, "The address is not a public one.") {
		t.Errorf("localhost: %+v", d)
	}
	// A manager who changes the address of a webhook that may reach private ones takes that leave away.
	if _, err := w.s.ChangeWebhook(w.ctx, manager, w.fed.ID, hook.ID, notify.WebhookInput{Name: "ops", Kinds: hook.Kinds,
		URL: "https://127.0.0.1/"}); domain.CodeOf(err) != domain.Invalid {
		t.Errorf("a manager moves it to a private address: %v", err)
	}
	if v, err := w.s.ChangeWebhook(w.ctx, manager, w.fed.ID, hook.ID, notify.WebhookInput{Name: "new", Kinds: hook.Kinds}); err != nil ||
		!v.Private || v.Name != "new" {
		t.Errorf("a manager renames it: %+v, %v", v, err)
	}
	if v, err := w.s.ChangeWebhook(w.ctx, manager, w.fed.ID, hook.ID, notify.WebhookInput{Name: "new", Kinds: hook.Kinds,
		URL: "https://hooks.example.org/x"}); err != nil || v.Private {
		t.Errorf("a manager gives it another address: %+v, %v", v, err)
	}
}

func TestPublicAddresses(t *testing.T) {
	for _, a := range []string{"127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
		"255.255.255.255", "198.18.0.1",
		"::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1",
		"2002:7f00:1::", "2001::1", "::7f00:1", "fec0::1"} {
		if notify.Public(a) {
			t.Errorf("%s is taken for a public address", a)
		}
	}
	for _, a := range []string{"1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1"} {
		if !notify.Public(a) {
			t.Errorf("%s is not taken for a public address", a)
		}
	}
	for text, private := range map[string]bool{"http://hooks.example.org/": false, "https://user:pass@hooks.example.org/": true,
		"https://127.0.0.1/": false, "https://[::1]/": false,
		"https://hooks.example.org/#x": true, "ftp://hooks.example.org/": true, "https:///x": true, "https://hooks.example.org:99999/": true,
		"https://a b/": true, "javascript:alert(1)": true,
		"https://hooks.example.org/" + strings.Repeat("x", 3000): true} {
		if notify.CheckURL(text, domain.WebhookJSON, private) == nil {
			t.Errorf("%.80s is accepted", text)
		}
	}
	for text, private := range map[string]bool{"https://hooks.example.org/services/T/B/x": false, "http://10.0.0.1:8080/x": true} {
		if err := notify.CheckURL(text, domain.WebhookJSON, private); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// The database alone does not tell a URL or a secret, and a test notification goes to its webhook alone.
func TestSecretsAreSealed(t *testing.T) {
	each(t, func(w *world) {
		r := newReceiver(t)
		hook, secret := w.hook(domain.WebhookText, r.server.URL+"/very-secret-path")
		other, _ := w.hook(domain.WebhookText, r.server.URL+"/other")
		for _, part := range []string{"very-secret-path", secret, strings.TrimPrefix(secret, "whsec_")[:20]} {
			if bytes.Contains(hook.Sealed, []byte(part)) || strings.Contains(fmt.Sprintf("%+v", hook), part) {
				t.Errorf("the row tells %q", part)
			}
		}
		info, err := os.Stat(filepath.Join(w.keys, "webhooks.key"))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the key: %v, %v", info, err)
		}
		_, err = w.s.TestWebhook(w.ctx, anAdmin, w.fed.ID, hook.ID)
		w.must(err)
		w.passes(0)
		if len(r.got) != 1 || r.got[0].path != "/very-secret-path" || !strings.HasPrefix(r.got[0].body, "Test notification.") ||
			len(w.deliveries(other)) != 0 {
			t.Errorf("%+v", r.got)
		}
		_, renewed, err := w.s.RenewSecret(w.ctx, anAdmin, w.fed.ID, hook.ID)
		if err != nil || renewed == secret {
			t.Errorf("renewed: %v", err)
		}
		w.keys = t.TempDir() // another key, as after a restore without it
		w.boot()
		_, err = w.s.TestWebhook(w.ctx, anAdmin, w.fed.ID, hook.ID)
		w.must(err)
		w.passes(time.Minute)
		if d := w.deliveries(hook)[0]; d.State != domain.DeliveryQueued || !strings.Contains(d.LastError, "stored with another key") {
			t.Errorf("%+v", d)
		}
		w.must(w.s.DropWebhook(w.ctx, anAdmin, w.fed.ID, hook.ID))
		if _, _, err := w.s.Deliveries(w.ctx, w.fed.ID, hook.ID, 0, 10); domain.CodeOf(err) != domain.NotFound {
			t.Errorf("a removed webhook: %v", err)
		}
		if _, _, err := w.s.Deliveries(w.ctx, w.fed.ID+1, other.ID, 0, 10); domain.CodeOf(err) != domain.NotFound {
			t.Errorf("a webhook of another federation: %v", err)
		}
	})
}

// Old notices go with their deliveries; what is still queued stays.
func TestOldNoticesAreRemoved(t *testing.T) {
	each(t, func(w *world) {
		r := newReceiver(t)
		hook, _ := w.hook(domain.WebhookJSON, r.server.URL)
		w.ended(domain.NoticeRun{Name: "r-1"}, domain.NoticeRunFailed)
		w.passes(0)
		w.passes(31 * 24 * time.Hour)
		if d := w.deliveries(hook); len(d) != 0 {
			t.Errorf("%+v", d)
		}
		w.in(func(tx *store.Tx) error {
			all, err := tx.UnsortedNotices(w.ctx, 10)
			if len(all) != 0 {
				t.Errorf("%+v", all)
			}
			return err
		})
	})
}
