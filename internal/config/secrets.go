package config

import (
	"net/url"
	"reflect"
)

// Secrets returns the values of settings that no output may contain: passwords, client secrets and keys, also those in addresses.
func (c Config) Secrets() []string { return secrets(reflect.ValueOf(c)) }

func secrets(v reflect.Value) (out []string) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		switch value := v.Field(i); {
		case f.Tag.Get("kong") == "-":
		case value.Kind() == reflect.Struct:
			out = append(out, secrets(value)...)
		case value.Kind() != reflect.String || value.String() == "":
		case f.Tag.Get("secret") == "all":
			out = append(out, value.String())
		case f.Tag.Get("secret") == "url":
			out = append(out, passwords(value.String())...)
		}
	}
	return out
}

// passwords returns the passwords in an address, as they are and as they are written there.
func passwords(address string) (out []string) {
	u, err := url.Parse(address)
	if err != nil {
		return nil
	}
	password, _ := u.User.Password()
	for _, p := range []string{password, u.Query().Get("password")} {
		if p != "" {
			out = append(out, p, url.QueryEscape(p), url.PathEscape(p))
		}
	}
	return out
}
