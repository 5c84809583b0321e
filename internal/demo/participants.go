package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
	"blossomtune/internal/keeper"
)

// site is a participant.
type site struct{ name, email, dir string }

// sites are the demo's participants.
var sites = []site{
	{"Site North", "north@example.org", "north"},
	{"Site South", "south@example.org", "south"},
}

// participants brings the sites in, and waits until their SuperNodes are online.
func (d *demo) participants(ctx context.Context) error {
	for i := range d.sites {
		if err := d.participant(ctx, i); err != nil {
			return err
		}
	}
	d.s.begin("SuperNodes connect")
	wait, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	err := await(wait, 100*time.Millisecond, func() (bool, error) {
		var nodes []client.Node
		if err := d.admin.Do(wait, "GET", "/federations/"+d.fed.Slug+"/nodes", nil, &nodes); err != nil {
			return false, err
		}
		online := 0
		for _, n := range nodes {
			if n.State == "online" {
				online++
			}
		}
		for i, c := range d.joined {
			select {
			case <-c.Done():
				return false, fmt.Errorf("%s's join ended (%s): see %s", d.sites[i].name, c.Exit(), d.joinLog(i))
			default:
			}
		}
		return online >= len(d.sites), nil
	})
	if err == nil {
		d.s.done("%d online", len(d.sites))
	}
	return err
}

func (d *demo) home(i int) string    { return filepath.Join(d.o.Data, "participants", d.sites[i].dir) }
func (d *demo) joinLog(i int) string { return filepath.Join(d.home(i), "join.log") }

// participant asks, confirms and is approved, unless an earlier demo did that, and runs `join`.
func (d *demo) participant(ctx context.Context, i int) error {
	if err := os.MkdirAll(d.home(i), 0o700); err != nil {
		return err
	}
	token := ""
	if _, err := os.Stat(filepath.Join(d.home(i), "state.json")); err != nil {
		if token, err = d.onboard(ctx, i); err != nil {
			return err
		}
	}
	args := []string{"join", d.app.PublicURL(), "--dir", d.home(i), "--python-dir", filepath.Join(d.o.Data, "python")}
	args = append(args, d.join...)
	env := os.Environ()
	if token != "" {
		env = append(env, "BLOSSOMTUNE_JOIN_TOKEN="+token)
	}
	child, err := keeper.Start(keeper.Command{Path: d.o.Self, Args: args, Dir: d.o.Data, Env: env, LogFile: d.joinLog(i),
		DieWithParent: true})
	if err != nil {
		return err
	}
	d.joined = append(d.joined, child)
	return nil
}

// onboard takes one person from asking to a join token.
func (d *demo) onboard(ctx context.Context, i int) (string, error) {
	site := d.sites[i]
	d.s.begin("%s asks, enters the mailed code, is approved", site.name)
	person := newClient(d.app.PublicURL(), "")
	var asked client.Asked
	if err := person.Do(ctx, "POST", "/federations/"+d.fed.Slug+"/requests", client.Ask{Email: site.email, Name: site.name},
		&asked); err != nil {
		return "", err
	}
	code, err := d.mailedCode(ctx, site.email)
	if err != nil {
		return "", err
	}
	var r client.Request
	if err := person.Do(ctx, "POST", "/requests/"+asked.Ref+"/verify", client.Verify{Code: code}, &r); err != nil {
		return "", err
	}
	if r.State == string(domain.Pending) {
		var approved []client.Request
		if err := d.admin.Do(ctx, "POST", "/federations/"+d.fed.Slug+"/requests/approve", client.Approve{Refs: []string{r.Ref}},
			&approved); err != nil {
			return "", err
		}
		r = approved[0]
	}
	var command client.JoinCommand
	if err := person.Do(ctx, "POST", "/me/requests/"+r.Ref+"/token", nil, &command); err != nil {
		return "", err
	}
	d.s.done("partition %d of %d", *r.Partition, d.fed.Partitions)
	return command.Token, nil
}

// mailedCode waits for the code where the mail lies: no SMTP server is configured, so it stays in the outbox.
func (d *demo) mailedCode(ctx context.Context, to string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		code, err := d.findCode(ctx, to)
		if err != nil || code != "" {
			return code, err
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("no code was mailed to %s", to)
		case <-tick.C:
		}
	}
}

// findCode returns the code that was mailed to an address, "" while there is none.
func (d *demo) findCode(ctx context.Context, to string) (string, error) {
	var mails []client.Mail
	if err := d.admin.Do(ctx, "GET", "/mails", nil, &mails); err != nil {
		return "", err
	}
	for _, m := range mails {
		if code, _, ok := strings.Cut(m.Subject, " is your code"); ok && m.To == to {
			return code, nil
		}
	}
	return "", nil
}
