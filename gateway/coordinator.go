package main

import (
	"context"
	"fmt"
	"strings"

	"parley/gateway/ctl"
)

type coordinatorCommand struct {
	Add      coordinatorAdd      `cmd:"" help:"Add a coordinator, or a further login NAME/DEVICE of one."`
	List     coordinatorList     `cmd:"" help:"List coordinators and their logins."`
	Password coordinatorPassword `cmd:"" help:"Give a login another password."`
	View     coordinatorView     `cmd:"" help:"Let a login see another view: clear, headlines or sealed. Its open sessions end."`
	Key      coordinatorKey      `cmd:"" help:"Put another OpenPGP certificate of a coordinator on file. Its open sessions end."`
	End      coordinatorEnd      `cmd:"" help:"End a login at once, open sessions included."`
	Remove   coordinatorRemove   `cmd:"" help:"Remove a coordinator from the desk, with all logins."`
	Card     coordinatorCard     `cmd:"" help:"Print ready settings for mail clients, without the password."`
}

type coordinatorAdd struct {
	configFlag
	Login        string `arg:"" help:"NAME of the coordinator, or NAME/DEVICE for a further login."`
	PasswordFile string `required:"" placeholder:"FILE" help:"File whose first line is the password; - for standard input."`
	Address      string `placeholder:"ADDRESS" help:"Mail address; NAME@DESK-DOMAIN unless given."`
	Key          string `placeholder:"FILE" help:"The coordinator's own OpenPGP certificate."`
	Zone         string `placeholder:"ZONE" help:"Time zone, Europe/Berlin, by which the daily digest comes; the desk's unless given."`
	View         string `default:"clear" enum:"clear,headlines,sealed" help:"What the login sees: clear, headlines or sealed."`
}

func (c coordinatorAdd) Run(ctx context.Context, w world) error {
	r := ctl.Request{Command: "coordinator add", Args: []string{c.Login},
		Flags: map[string]string{"address": c.Address, "view": c.View, "zone": c.Zone}, Files: map[string][]byte{}}
	var err error
	if r.Files["password"], err = w.password(c.PasswordFile); err != nil {
		return err
	}
	if c.Key != "" {
		if r.Files["key"], err = w.input(c.Key); err != nil {
			return fmt.Errorf("read key: %w", err)
		}
	}
	return c.call(ctx, w, r)
}

type coordinatorList struct{ configFlag }

func (c coordinatorList) Run(ctx context.Context, w world) error {
	return c.call(ctx, w, ctl.Request{Command: "coordinator list"})
}

type coordinatorPassword struct {
	configFlag
	Login        string `arg:"" help:"NAME or NAME/DEVICE."`
	PasswordFile string `required:"" placeholder:"FILE" help:"File whose first line is the password; - for standard input."`
}

func (c coordinatorPassword) Run(ctx context.Context, w world) error {
	p, err := w.password(c.PasswordFile)
	if err != nil {
		return err
	}
	return c.call(ctx, w, ctl.Request{Command: "coordinator password", Args: []string{c.Login}, Files: map[string][]byte{"password": p}})
}

type coordinatorEnd struct {
	configFlag
	Login string `arg:"" help:"NAME or NAME/DEVICE."`
}

func (c coordinatorEnd) Run(ctx context.Context, w world) error {
	return c.call(ctx, w, ctl.Request{Command: "coordinator end", Args: []string{c.Login}})
}

type coordinatorRemove struct {
	configFlag
	Name string `arg:"" help:"NAME of the coordinator."`
}

func (c coordinatorRemove) Run(ctx context.Context, w world) error {
	return c.call(ctx, w, ctl.Request{Command: "coordinator remove", Args: []string{c.Name}})
}

// password reads the first line of a file.
func (w world) password(path string) ([]byte, error) {
	data, err := w.input(path)
	if err != nil {
		return nil, fmt.Errorf("read password: %w", err)
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return []byte(strings.TrimSuffix(line, "\r")), nil
}
