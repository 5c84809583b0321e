//go:build !participant

package main

import (
	"fmt"
	"slices"
	"strings"

	"blossomtune/internal/client"
)

func (h *host) notifications() {
	t := h.t
	mode := func(all []client.Notifications, kind string) string {
		for _, f := range all {
			for _, k := range f.Kinds {
				if f.Federation == "fed" && k.Kind == kind {
					return fmt.Sprint(k.Mode, " ", k.Chosen)
				}
			}
		}
		return ""
	}
	all := read[[]client.Notifications](h, "notification", "list")
	expect(t, "the default of an admin", mode(all, "run_failed") == "now false", all)
	all = read[[]client.Notifications](h, "notification", "set", "run_failed=daily", "run_completed=off", "--federation", "fed")
	expect(t, "it is chosen", mode(all, "run_failed") == "daily true" && mode(all, "run_completed") == "off true", all)
	expect(t, "the table has it", strings.Contains(h.do("notification", "list"), "run_failed"), h.do("notification", "list"))
	h.fails(1, "notification", "set", "run_failed=sometimes", "--federation", "fed")
	h.fails(exitNotFound, "notification", "set", "run_failed=off", "--federation", "nowhere")
}

func (h *host) noticeRules() {
	rules := read[client.NotificationRules](h, "notification", "rules", "fed")
	expect(h.t, "the defaults", rules == client.NotificationRules{Offline: 30, Unconnected: 72, Waiting: 48, Remind: true}, rules)
	h.do("notification", "rules", "fed", "--offline", "60", "--no-remind")
	rules = read[client.NotificationRules](h, "notification", "rules", "fed")
	expect(h.t, "they are changed", rules == client.NotificationRules{Offline: 60, Unconnected: 72, Waiting: 48}, rules)
	h.fails(1, "notification", "rules", "fed", "--offline", "1")
}

func (h *host) webhooks() {
	t := h.t
	const address = "http://127.0.0.1:1/hook"
	made := h.with(address+"\n", "webhook", "add", "fed", "--name", "ops", "--event", "run_failed", "--private")
	expect(t, "the secret is shown, the address is not", strings.Contains(made, "whsec_") && !strings.Contains(made, "/hook"), made)
	all := read[[]client.Webhook](h, "webhook", "list", "fed")
	expect(t, "it is listed without its secret", len(all) == 1 && all[0].Name == "ops" && all[0].Host == "127.0.0.1:1" && all[0].Private &&
		all[0].Secret == "", all)
	id := fmt.Sprint(all[0].ID)
	h.do("webhook", "change", "fed", id, "--name", "paused", "--paused")
	h.fails(exitConflict, "webhook", "test", "fed", id)
	h.with(address+"2\n", "webhook", "change", "fed", id, "--no-paused", "--new-url", "--event", "run_failed", "--event", "run_stopped")
	all = read[[]client.Webhook](h, "webhook", "list", "fed")
	expect(t, "it is changed", len(all) == 1 && all[0].Name == "paused" && !all[0].Paused && all[0].Private &&
		slices.Equal(all[0].Kinds, []string{"run_failed", "run_stopped"}), all)
	expect(t, "another secret", !strings.Contains(made, read[client.Webhook](h, "webhook", "secret", "fed", id).Secret), made)
	d := read[client.Delivery](h, "webhook", "test", "fed", id)
	expect(t, "a test is queued", d.Kind == "test" && d.State == "queued", d)
	h.until("a try failed", func() bool {
		got := read[[]client.Delivery](h, "webhook", "deliveries", "fed", id)
		return len(got) == 1 && got[0].Tries > 0 && got[0].Error != "" && got[0].NextAt != nil
	})
	_, code, _ := h.try("", "webhook", "add", "fed", "--name", "none", "--event", "run_failed")
	expect(t, "an address is needed", code != 0, code)
	h.fails(exitNotFound, "webhook", "change", "fed", "999")
	h.do("webhook", "delete", "fed", id)
	expect(t, "it is gone", len(read[[]client.Webhook](h, "webhook", "list", "fed")) == 0, nil)

	h.with(address, "webhook", "add", "-", "--name", "all", "--event", "run_failed", "--private")
	expect(t, "the server's is listed", strings.Contains(h.do("webhook", "list", "-"), "all"), h.do("webhook", "list", "-"))
}
