package agent

import (
	"context"
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"

	"blossomtune/internal/domain"
)

// service is a SuperNode that the system starts by itself, with the machine or with its user's session.
type service struct {
	Name   string // of the unit, without its suffix
	Title  string
	Args   []string // the program first
	Home   string   // the federation's directory
	Base   string   // what else is written: the Python environment
	User   string   // of a unit of the system; empty: one of the user's own
	Folder string   // where the unit's file goes
}

func (s service) file() string {
	if runtime.GOOS == "darwin" {
		return filepath.Join(s.Folder, s.Name+".plist")
	}
	return filepath.Join(s.Folder, s.Name+".service")
}

// unit is the service for systemd. Exit code 2 says that the access has ended: no new start heals that.
func (s service) unit() string {
	quoted := make([]string, len(s.Args))
	for i, a := range s.Args {
		quoted[i] = unitQuote(a)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "[Unit]\nDescription=%s\nWants=network-online.target\nAfter=network-online.target\nStartLimitIntervalSec=0\n\n",
		strings.ReplaceAll(s.Title, "%", "%%"))
	fmt.Fprintf(&b, "[Service]\nType=exec\nExecStart=%s\nRestart=always\nRestartSec=15\n"+
		"RestartPreventExitStatus=2\nKillSignal=SIGINT\nTimeoutStopSec=30\nUMask=0077\n", strings.Join(quoted, " "))
	target := "default.target"
	if s.User != "" {
		target = "multi-user.target"
		fmt.Fprintf(&b, "User=%s\nNoNewPrivileges=yes\nProtectSystem=strict\nReadWritePaths=%s "+
			"%s\nPrivateTmp=yes\nProtectKernelTunables=yes\nProtectControlGroups=yes\nRestrictSUIDSGID=yes\n", s.User, unitQuote(s.Home),
			unitQuote(s.Base))
	}
	fmt.Fprintf(&b, "\n[Install]\nWantedBy=%s\n", target)
	return b.String()
}

// unitQuote writes an argument as systemd reads it (systemd.service, "Command lines").
func unitQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `%`, `%%`, `$`, `$$`).Replace(s) + `"`
}

// plist is the service for launchd.
func (s service) plist() string {
	text := func(v string) string {
		var b strings.Builder
		_ = xml.EscapeText(&b, []byte(v)) // a builder takes everything
		return b.String()
	}
	var args strings.Builder
	for _, a := range s.Args {
		fmt.Fprintf(&args, "\t\t<string>%s</string>\n", text(a))
	}
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Label</key>
	<string>%s</string>
	<key>ProgramArguments</key>
	<array>
%s	</array>
	<key>RunAtLoad</key>
	<true/>
	<key>KeepAlive</key>
	<dict>
		<key>SuccessfulExit</key>
		<false/>
	</dict>
	<key>ThrottleInterval</key>
	<integer>15</integer>
	<key>StandardOutPath</key>
	<string>%s</string>
	<key>StandardErrorPath</key>
	<string>%s</string>
</dict>
</plist>
`, text(s.Name), args.String(), text(filepath.Join(s.Home, "agent.log")), text(filepath.Join(s.Home, "agent.log")))
}

// serviceOf is the service of a home on this machine.
func serviceOf(h home, args []string, title string) (service, error) {
	s := service{Name: "blossomtune-" + strings.NewReplacer(".", "-", " ", "-").
		Replace(filepath.Base(string(h))), Title: title, Args: args, Home: string(h), Base: filepath.Dir(string(h))}
	dir, err := os.UserHomeDir()
	if err != nil {
		return s, err
	}
	switch {
	case runtime.GOOS == "darwin":
		s.Name, s.Folder = "org."+s.Name, filepath.Join(dir, "Library", "LaunchAgents")
	case runtime.GOOS != "linux":
		return s, domain.Errorf(domain.Unavailable, "On %s this program cannot install a service.", runtime.GOOS).
			Fix("Let the system's own task scheduler start the same command without --service.")
	case os.Geteuid() == 0:
		who, err := user.Current()
		if err != nil {
			return s, err
		}
		s.User, s.Folder = who.Username, "/etc/systemd/system"
	default:
		s.Folder = filepath.Join(dir, ".config", "systemd", "user")
	}
	return s, nil
}

// manage are the commands that a service's manager takes.
func (s service) manage(what string) [][]string {
	if runtime.GOOS == "darwin" {
		domain := fmt.Sprintf("gui/%d", os.Getuid())
		return map[string][][]string{"start": {{"launchctl", "bootstrap", domain, s.file()}},
			"stop": {{"launchctl", "bootout", domain + "/" + s.Name}}, "reload": nil}[what]
	}
	ctl := []string{"systemctl"}
	if s.User == "" {
		ctl = append(ctl, "--user")
	}
	with := func(args ...string) []string { return append(ctl[:len(ctl):len(ctl)], args...) }
	return map[string][][]string{"start": {with("daemon-reload"), with("enable", "--now", s.Name+".service")},
		"stop": {with("disable", "--now", s.Name+".service")}, "reload": {with("daemon-reload")}}[what]
}

func runAll(ctx context.Context, commands [][]string) error {
	for _, c := range commands {
		if out, err := exec.CommandContext(ctx, c[0], c[1:]...).CombinedOutput(); err != nil {
			return domain.Errorf(domain.Unavailable, "%s did not work: %s", strings.Join(c, " "), strings.TrimSpace(string(out))).
				Fix("Run the same command without --service under the supervisor that this machine has.").Because(err)
		}
	}
	return nil
}

// install writes the service's file and starts it.
func (s service) install(ctx context.Context, say func(string, ...any)) error {
	if err := os.MkdirAll(s.Folder, 0o755); err != nil {
		return err
	}
	text := s.unit()
	if runtime.GOOS == "darwin" {
		text = s.plist()
	}
	if err := writeFile(s.file(), []byte(text), 0o644); err != nil {
		return err
	}
	if err := runAll(ctx, s.manage("start")); err != nil {
		_ = os.Remove(s.file())
		return err
	}
	say("The service %s runs now and starts with the machine: %s", s.Name, s.file())
	if runtime.GOOS == "linux" && s.User == "" {
		say("It ends when you sign out, unless an administrator says: loginctl enable-linger %s", os.Getenv("USER"))
	}
	return nil
}

// removeService stops and removes the service of a home, where there is one.
func removeService(ctx context.Context, h home, say func(string, ...any)) error {
	s, err := serviceOf(h, nil, "")
	if err != nil {
		return nil //nolint:nilerr // a system without services has none to remove
	}
	if _, err := os.Stat(s.file()); err != nil {
		return nil //nolint:nilerr // there is none
	}
	if err := runAll(ctx, s.manage("stop")); err != nil {
		return err
	}
	if err := os.Remove(s.file()); err != nil {
		return err
	}
	if err := runAll(ctx, s.manage("reload")); err != nil {
		return err
	}
	say("The service %s is stopped and removed.", s.Name)
	return nil
}
