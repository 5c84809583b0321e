package git

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"blossomtune/internal/domain"
)

func checkRepository(address string, inside bool) error {
	if strings.HasPrefix(address, "https://") {
		u, err := url.Parse(address)
		switch {
		case err != nil || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(address, " \t\r\n\x00"):
			return bad("repository", "This is no address of a repository.").Fix("Write it like https://git.example.org/team/app.git.").Because(err)
		case u.User != nil:
			return bad("repository", "The address holds a name or password, which would be kept and shown.").
				Fix("Take it out; the repository must be readable by everybody.")
		}
		return nil
	}
	path := strings.TrimPrefix(address, "file://")
	if !filepath.IsAbs(path) || strings.ContainsAny(path, "\r\n\x00") {
		return bad("repository", "Only https:// addresses are taken.").Fix("Write it like https://git.example.org/team/app.git.")
	}
	if !inside {
		return bad("repository", "Only admins add repositories of the server itself.").Fix("Give an https:// address, or ask an admin.")
	}
	return nil
}

// pinned holds an address to the outside, and returns what makes git ask the very machine that was checked. Behind a proxy the
// proxy finds the machine, and keeps to its own rules.
func pinned(ctx context.Context, address string, inside bool) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || inside || os.Getenv("HTTPS_PROXY") != "" || os.Getenv("https_proxy") != "" {
		return "", nil //nolint:nilerr // a path was checked elsewhere
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil || len(ips) == 0 {
		return "", domain.Errorf(domain.Invalid, "The name %s is not known.", u.Hostname()).Fix("Check the address.").At("repository").
			Because(err)
	}
	for _, ip := range ips {
		if !outside(ip.Unmap()) {
			return "", domain.Errorf(domain.Invalid, "%s is inside the server's own network.", u.Hostname()).
				Fix("Ask an admin to add it, or upload a zip of the app's folder.").At("repository")
		}
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	var list []string
	for _, ip := range ips {
		text := ip.Unmap().String()
		if ip.Unmap().Is6() {
			text = "[" + text + "]"
		}
		list = append(list, text)
	}
	return u.Hostname() + ":" + port + ":" + strings.Join(list, ","), nil
}

var reserved = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("2002::/16")}

func outside(ip netip.Addr) bool {
	for _, p := range reserved {
		if p.Contains(ip) {
			return false
		}
	}
	return ip.IsGlobalUnicast() && !ip.IsPrivate()
}
