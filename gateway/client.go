package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"parley/gateway/ctl"
	"parley/mailflow"
)

// configFlag is on every command that needs a configuration.
type configFlag struct {
	Config string `short:"c" default:"/etc/parley/parley.toml" env:"PARLEY_CONFIG" placeholder:"FILE" help:"Configuration file; $PARLEY_CONFIG or /etc/parley/parley.toml unless given."`
}

// socket is where the daemon of this configuration listens for commands.
func (s *settings) socket() string { return filepath.Join(s.StateDir, ctl.SocketName) }

// call has a command carried out by the daemon, or by ourselves on the store
// when no daemon runs, and prints the answer.
func (f configFlag) call(ctx context.Context, w world, r ctl.Request) error {
	set, err := loadSettings(f.Config)
	if err != nil {
		return err
	}
	answer, err := f.ask(ctx, w, set, r)
	if err != nil {
		return err
	}
	return w.print(answer)
}

// print shows an answer; its error ends the process as the answer says.
func (w world) print(answer ctl.Answer) error {
	if _, err := io.WriteString(w.out, answer.Out); err != nil {
		return err
	}
	if answer.Err != "" {
		_, _ = fmt.Fprintln(w.err, strings.TrimRight(answer.Err, "\n"))
	}
	if answer.Code != exitDone {
		return codeError(answer.Code)
	}
	return nil
}

// ask has a command carried out, and gives the answer.
func (configFlag) ask(ctx context.Context, w world, set *settings, r ctl.Request) (ctl.Answer, error) {
	answer, err := ctl.Call(ctx, set.socket(), r)
	if errors.Is(err, ctl.ErrNoDaemon) {
		return alone(ctx, set, w, r)
	}
	return answer, err
}

// looksOnly are the commands that change nothing, not even what a start would see to.
var looksOnly = map[string]bool{"doctor": true, "verify": true}

// alone carries out a command on the store of a gateway that does not run.
func alone(ctx context.Context, set *settings, w world, r ctl.Request) (answer ctl.Answer, err error) {
	unlock, err := set.unlock(w.asker())
	if err != nil {
		return answer, err
	}
	if err := becomeOwner(set.StateDir); err != nil {
		return answer, err
	}
	a, err := openApp(set, given{unlock: unlock, clock: mailflow.WallClock(), log: newLog(w.err, slog.LevelWarn), readOnly: looksOnly[r.Command]})
	if err != nil {
		return answer, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	return a.handle(ctx, r), nil
}

// maxInput bounds a file that a command reads, in bytes.
const maxInput = 16 << 20

// input reads a file for a request; "-" is standard input.
func (w world) input(path string) (data []byte, err error) {
	f := w.in
	if path != "-" {
		if f, err = os.Open(path); err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // only read
	}
	data, err = io.ReadAll(io.LimitReader(f, maxInput+1))
	if err == nil && len(data) > maxInput {
		err = fmt.Errorf("read %s: it is larger than %s", path, formatSize(maxInput))
	}
	return data, err
}

// command is what the daemon and the command line do alike. Its text goes to
// stdout also when it fails.
type command func(ctx context.Context, a *app, r ctl.Request) (string, error)

// commands lists what goes over the control socket.
func commands() map[string]command {
	return map[string]command{
		"do":                   doCommands,
		"coordinator add":      addCoordinator,
		"coordinator list":     listCoordinators,
		"coordinator password": setPassword,
		"coordinator view":     setView,
		"coordinator key":      setKey,
		"coordinator end":      endLogin,
		"coordinator remove":   removeCoordinator,
		"coordinator card":     showCard,
		"vendor import":        importVendors,
		"vendor export":        exportVendors,
		"key import":           importKeys,
		"key export":           exportKey,
		"key own":              listOwnKeys,
		"key rotate":           rotateKey,
		"key extend":           extendKey,
		"key retire":           retireKey,
		"dkim list":            listDomainKeys,
		"dkim new":             newDomainKey,
		"dkim sign":            beginDomainKey,
		"dkim stop":            stopDomainKey,
		"web":                  makeSite,
		"backup":               makeBackup,
		"store rotate":         rotateStore,
		"doctor":               examine,
		"verify":               verifyStore,
	}
}

// handle carries out a request.
func (a *app) handle(ctx context.Context, r ctl.Request) ctl.Answer {
	run, ok := commands()[r.Command]
	if !ok {
		return ctl.Answer{Err: fmt.Sprintf("parley: the daemon does not know the command %q; it may be of another version", r.Command), Code: exitNot}
	}
	out, err := run(ctx, a, r)
	if err != nil {
		return ctl.Answer{Out: out, Err: "parley: " + err.Error(), Code: exitNot}
	}
	return ctl.Answer{Out: out}
}

// quote writes a value so that the desk language reads it as one word. A line break in
// it becomes a blank: what follows would be a command of its own.
func quote(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// table writes rows in columns; the last column is not padded.
func table(rows [][]string) string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			line += cell + strings.Repeat(" ", widths[i]-len([]rune(cell))+2)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}
