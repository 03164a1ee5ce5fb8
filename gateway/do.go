package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"

	"parley/gateway/ctl"
	"parley/mailflow"
)

// operator is who gives the commands of the command line. It cannot give a
// signed approval (rule A3).
var operator = mailflow.Actor{Name: mailflow.Operator, Via: mailflow.ViaOperator}

type doCommand struct {
	configFlag
	Commands []string `arg:"" name:"command" help:"One command of the desk language each; - reads them from standard input, one per line."`
}

func (c doCommand) Run(ctx context.Context, w world) error {
	var lines []string
	for _, command := range c.Commands {
		if command != "-" {
			lines = append(lines, command)
			continue
		}
		data, err := w.input("-")
		if err != nil {
			return err
		}
		for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
			if line := bytes.TrimSpace(s.Bytes()); len(line) > 0 {
				lines = append(lines, string(line))
			}
		}
	}
	return c.call(ctx, w, ctl.Request{Command: "do", Args: lines})
}

var errNotDone = errors.New("not done: nothing of this was carried out")

// doCommands gives the transcript of a list of commands, which are carried
// out all or none.
func doCommands(ctx context.Context, a *app, r ctl.Request) (string, error) {
	t, err := a.desk.Do(ctx, operator, r.Args)
	if err != nil {
		return "", err
	}
	if !t.Done() {
		return t.String(), errNotDone
	}
	return t.String(), nil
}
