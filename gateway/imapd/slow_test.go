package imapd_test

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"parley/gateway/imapd"
)

// slowly sends a text an octet at a time, over and over, until the server ends it.
func (c *client) slowly(text string) {
	for i := 0; ; i++ {
		if _, err := c.conn.Write([]byte{text[i%len(text)]}); err != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// M8: who sends an octet now and then is cut off once the time of the whole command
// is over: in its first line, in a literal that is taken or refused or follows
// another, in what ends an IDLE, and before the login. Whoever is silent between
// commands stays (RFC 9051 section 5.4), and so does who idles.
func TestM8_SlowLoris(t *testing.T) {
	t.Parallel()
	const login = "C: a LOGIN ana \"" + password + "\"\nS: a OK ...\n"
	for name, c := range map[string]struct{ before, drip, bye string }{
		"a line before the login": {"", "x", "The command took too long"},
		"no login at all":         {"C: a NOOP\nS: a OK ...\n", "", "The time to log in is over"},
		"a password":              {"C: a LOGIN ana {21}\nS: + ...\n", "x", "The command took too long"},
		"an answer to AUTH":       {"C: a AUTHENTICATE PLAIN\nS: + ...\n", "x", "The command took too long"},
		"a line":                  {login, "x", "The command took too long"},
		"a mailbox name":          {login + "C: b SELECT {3000}\nS: + ...\n", "x", "The command took too long"},
		"a second literal":        {login + "C: b SEARCH SUBJECT {1}\nS: + ...\nC: x BODY {3000}\n", "x", "The command took too long"},
		"a message":               {login + "C: b APPEND Drafts {9000}\nS: + ...\n", "x", "The command took too long"},
		"a refused message":       {login + "C: b APPEND Drafts {60000000+}\n", "x", "The command took too long"},
		"the end of IDLE":         {login + "C: b IDLE\nS: + ...\n", "D", "The command took too long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, func(c *imapd.Config, _ *office) {
				c.Login, c.Command, c.Data = 4*time.Second, time.Second, 2*time.Second
			})
			slow := o.dial()
			slow.talk(c.before)
			begun := time.Now()
			if c.drip != "" {
				go slow.slowly(c.drip)
			}
			honest, err := o.dialFrom("127.0.0.2", &tls.Config{})
			must(t, err)
			honest.talk("S: * OK ...\n" + login)
			for {
				got := slow.response()
				if got == "EOF" {
					t.Fatal("no BYE")
				}
				if strings.HasPrefix(got, "* BYE ") {
					if got != "* BYE "+c.bye {
						t.Errorf("%s", got)
					}
					break
				}
			}
			if took := time.Since(begun); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
			honest.ask("NOOP") // it was silent longer than a command may take
		})
	}
}
