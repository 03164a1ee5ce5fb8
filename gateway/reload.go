package main

import (
	"slices"
	"strings"

	"parley/config"
)

// reload reads the configuration again, at SIGHUP: policies count for cases that
// get one from now on, and the TLS certificate for connections from now on. What
// else changed waits for a restart, and is named. Where anything is wrong, all
// stays as it was (rule A6).
func (g *gateway) reload() {
	log := g.app.log
	_ = notify("RELOADING=1") // it goes on, heard or not
	defer func() { _ = notify("READY=1") }()
	c, err := config.Load(g.app.set.File)
	if err != nil {
		log.Error("the configuration cannot be read; the one before stays", "err", err)
		return
	}
	set, err := newSettings(c)
	if err != nil {
		log.Error("the configuration is wrong; the one before stays", "err", err)
		return
	}
	if g.ports.tls.changed() { // its key may be root's alone, which we are no more
		if err := g.ports.tls.read(); err != nil {
			log.Error("the TLS certificate changed and cannot be read; the one before goes on", "err", err)
		}
	}
	g.app.policies.Store(&set.Policies)
	later := slices.DeleteFunc(config.Differ(g.app.set.read, c), func(key string) bool { return strings.HasPrefix(key, "policy.") })
	if len(later) > 0 {
		log.Warn("the configuration was read; these keys change with a restart", "keys", strings.Join(later, " "))
		return
	}
	log.Info("the configuration was read; policies count for new cases")
}
