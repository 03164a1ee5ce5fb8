package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// terminal is a program in a tmux of its own: a person at a keyboard, who
// waits for what is on the screen before the next key.
type terminal struct {
	*clientDesk
	socket string
}

// The size of the terminal, in characters.
const terminalWidth, terminalHeight = "130", "40"

// starts runs a shell command in a terminal until the test ends.
func (d *clientDesk) starts(command string) *terminal {
	d.Helper()
	t := &terminal{clientDesk: d, socket: filepath.Join(d.home, "tmux")}
	d.shown = t.screen
	d.Cleanup(func() { _ = d.program("tmux", "-S", t.socket, "kill-server").Run() }) // it may have ended
	t.tmux("-f", "/dev/null", "new-session", "-d", "-x", terminalWidth, "-y", terminalHeight, command+"; echo ENDED; sleep 600")
	return t
}

func (t *terminal) tmux(args ...string) string {
	t.Helper()
	return t.run("tmux", append([]string{"-S", t.socket}, args...)...)
}

// types sends keys as they are.
func (t *terminal) types(text string) {
	t.Helper()
	t.tmux("send-keys", "-l", text)
}

// presses sends keys by their names: Enter, Escape, C-x.
func (t *terminal) presses(keys ...string) {
	t.Helper()
	t.tmux(append([]string{"send-keys"}, keys...)...)
}

func (t *terminal) screen() string {
	t.Helper()
	return t.tmux("capture-pane", "-p")
}

// sees waits until the screen shows what matches.
func (t *terminal) sees(pattern string) string {
	t.Helper()
	want := regexp.MustCompile(pattern)
	var shown string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(30 * time.Millisecond) {
		if shown = t.screen(); want.MatchString(shown) {
			return shown
		}
		if strings.Contains(shown, "ENDED") {
			break
		}
	}
	t.Fatalf("the screen does not show %q:\n%s", pattern, shown)
	return ""
}
