package main

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"parking/node/cookie"
)

// vault is where this node's cookie was from: a file that a rotation can write the
// next one to, or a setting that only who starts the node can change. It is the
// node's own from the start on.
type vault struct {
	source string
	path   string // of the file; empty: there is none
	secret string // what the node has had from the file
}

// openCookie returns the cookie that was given or is in the file.
func openCookie(s settings, remark func(text string)) (*vault, *cookie.Keys, error) {
	if s.ownCookie() {
		keys, err := cookie.Derive(s.Cookie)
		if err != nil {
			return nil, nil, &usageError{err}
		}
		source := s.found["cookie"].from.String()
		return &vault{source: source}, keys, nil
	}
	path, err := expand(s.CookieFile)
	if err != nil {
		return nil, nil, fmt.Errorf("%w; give --cookie-file", err)
	}
	secret, made, err := cookie.Load(path)
	if err != nil {
		return nil, nil, err
	}
	if made {
		remark("made a cookie in " + path)
	}
	keys, err := cookie.Derive(secret)
	return &vault{"the file " + path, path, secret}, keys, err
}

// loadKeys returns the keys of that cookie.
func loadKeys(s settings, remark func(text string)) (*cookie.Keys, error) {
	_, keys, err := openCookie(s, remark)
	return keys, err
}

// Source implements node.Vault.
func (v *vault) Source() string { return v.source }

// Check implements node.Vault.
func (v *vault) Check(text string) error {
	if v.path == "" {
		return v.given()
	}
	if there, err := cookie.Read(v.path); err == nil && there == text {
		return nil // whoever sees to the file has put it there
	}
	return v.unkept(cookie.Replaceable(v.path))
}

// given is why a cookie cannot be kept that is in no file.
func (v *vault) given() error {
	return fmt.Errorf("its next start needs the new cookie in place of %s", v.source)
}

// unkept says what to do about a file that cannot be written to.
func (v *vault) unkept(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EROFS):
		return fmt.Errorf("put the new cookie where %s is mounted from before its next start, as into the Kubernetes Secret", v.path)
	}
	return fmt.Errorf("put the new cookie into %s before its next start: %w", v.path, plainFile(err))
}

// plainFile returns what is wrong with a file, in the system's words.
func plainFile(err error) error {
	if no, ok := errors.AsType[syscall.Errno](err); ok {
		return no
	}
	return err
}

// Keep implements node.Vault. Several nodes of this host may share the file.
func (v *vault) Keep(text string) error {
	if v.path == "" {
		return v.given()
	}
	if err := cookie.Replace(v.path, v.secret, text); err != nil {
		return v.unkept(err)
	}
	v.secret = text
	return nil
}

// Load implements node.Vault.
func (v *vault) Load() (string, error) {
	if v.path == "" {
		return "", errors.New("this node's cookie is not from a file")
	}
	return cookie.Read(v.path)
}
