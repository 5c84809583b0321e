package config

import (
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
)

// checkPublicURL brings the public address into the form in which it goes out: a scheme, a host in ASCII, a port. SuperNodes, links in
// mails and sign-in providers get it with a path after it, so nothing else may stand in it.
func (c *Config) checkPublicURL() error {
	typed := strings.Trim(domain.Line(c.PublicURL), " <>\"'“”‘’")
	if typed == "" {
		c.PublicURL = ""
		return nil
	}
	u, err := url.Parse(typed)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Opaque != "" {
		return wrong("public-url", "This is not the address of a server.").Fix("Write it like https://fl.example.org.") // it may hold a password
	}
	switch {
	case u.User != nil:
		return wrong("public-url", "The address has a user or password before the host.").
			Fix("Remove everything up to the @: links in e-mails show the address to everyone.")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(typed, "#"):
		return wrong("public-url", "%q has a query or fragment; links cannot be made from it.", typed).
			Fix("Write it like https://fl.example.org, ending with the host or port.")
	case strings.Trim(u.Path, "/") != "":
		return wrong("public-url", "%q has a path, which a SuperNode cannot use.", typed).
			Fix("Write it like https://fl.example.org, and give the server a host name of its own.")
	}
	host := u.Hostname()
	if ip := net.ParseIP(host); ip == nil {
		if host, err = domain.ASCIIHost(host); err != nil {
			return wrong("public-url", "%q has no valid host name.", typed).Fix("Write it like https://fl.example.org.").Because(err)
		}
	} else if ip.To4() == nil {
		host = "[" + host + "]"
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return wrong("public-url", "%q has no valid port.", typed).Fix("A port is a number from 1 to 65535.")
		}
		host += ":" + port
	}
	c.PublicURL = u.Scheme + "://" + host
	return nil
}

// plainInQuery are the parameters of a PostgreSQL address in whose values an @ is common and unambiguous.
var plainInQuery = map[string]bool{"user": true, "password": true, "application_name": true, "options": true, "host": true, "dbname": true,
	"passfile": true, "sslcert": true, "sslkey": true, "sslrootcert": true}

// CheckDatabase refuses a PostgreSQL address that other programs would read in another way than it was meant, above all one whose
// password holds a bare @, /, ?, # or %. No part of the address is in the error: any part may belong to the password.
func CheckDatabase(address string) error {
	scheme, rest, found := strings.Cut(address, "://")
	if scheme = strings.ToLower(scheme); !found || scheme != "postgres" && scheme != "postgresql" {
		return nil
	}
	u, err := url.Parse(address)
	if err != nil {
		return ambiguous()
	}
	authority, after := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, after = rest[:i], rest[i:]
	}
	path, query, _ := strings.Cut(after, "?")
	if strings.Count(authority, "@") > 1 || strings.ContainsAny(path, "@#") || strings.Contains(query, "#") {
		return ambiguous()
	}
	for part := range strings.SplitSeq(query, "&") {
		if key, value, _ := strings.Cut(part, "="); strings.Contains(key, "@") || strings.Contains(value, "@") && !plainInQuery[key] {
			return ambiguous()
		}
	}
	if _, err := url.ParseQuery(u.RawQuery); err != nil {
		return ambiguous()
	}
	return nil
}

func ambiguous() error {
	return wrong("database", "The PostgreSQL address cannot be read without doubt: its password probably holds a special character.").
		Fix("In user name and password, write @ as %%40, / as %%2F, ? as %%3F, # as %%23, %% as %%25, : as %%3A and a space as %%20. The form " +
			"is postgres://user:password@host:5432/name.")
}

var (
	passwordInQuery = regexp.MustCompile(`(?i)((?:^|[?&\s])(?:password|passfile|sslpassword)\s*=\s*)('(?:[^'\\]|\\.)*'|[^&\s]*)`)
	userInfo        = regexp.MustCompile(`(?s)^([A-Za-z0-9+.-]+://)(.*)@`)
)

// redacted masks what may belong to a password in the address of a database, also where the address is malformed.
func redacted(address string) string {
	masked := userInfo.ReplaceAllStringFunc(address, func(s string) string {
		m := userInfo.FindStringSubmatch(s)
		user, _, secret := strings.Cut(m[2], ":")
		if !secret {
			return s
		}
		return m[1] + user + ":xxxxx@"
	})
	return passwordInQuery.ReplaceAllString(masked, "${1}xxxxx")
}
