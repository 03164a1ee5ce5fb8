package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// postfixPeer is a real Postfix on loopback, in a directory of its own: at Front it takes mail from anyone and hands it to Parley by
// LMTP; at Behind it is a smarthost with STARTTLS and a login (asked of a Dovecot), that hands all on to a sink.
type postfixPeer struct {
	testing.TB
	dir           string
	front, behind string
	ca            string // PEM file
}

const (
	peerName     = "relay.example.net" // in its certificate
	peerUser     = "parley"
	peerPassword = "a pass phrase of a smarthost"
)

// startPostfix wants root, since Postfix and Dovecot change their users.
func startPostfix(t testing.TB, lmtp, sink string) *postfixPeer {
	t.Helper()
	p := &postfixPeer{TB: t, dir: peerDir(t), front: freeAddr(t), behind: freeAddr(t)}
	p.ca = filepath.Join(p.dir, "ca.pem")
	p.certificate()
	p.login()
	for _, d := range []string{"etc", "q", "data"} {
		path := filepath.Join(p.dir, d)
		p.must(errors.Join(os.Mkdir(path, 0o755), os.Chmod(path, 0o755)))
	}
	p.must(exec.Command("chown", "postfix", filepath.Join(p.dir, "data")).Run())
	daemons, err := exec.Command("postconf", "-d", "-h", "daemon_directory").Output()
	p.must(err)
	p.write("etc/main.cf", fmt.Sprintf(mainCF, p.dir, strings.TrimSpace(string(daemons)), lmtp, sink))
	p.write("etc/master.cf", fmt.Sprintf(masterCF, p.front, p.behind)+masterServices)
	t.Cleanup(func() {
		if out, err := exec.Command("postfix", "-c", filepath.Join(p.dir, "etc"), "stop").CombinedOutput(); err != nil {
			t.Errorf("stop postfix: %v: %s", err, out)
		}
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(p.dir, "data/log"))
			t.Logf("postfix says:\n%s", log)
		}
	})
	// The gateway of this process narrowed the umask, and Postfix counts on the usual one.
	start := exec.Command("sh", "-c", `umask 022; exec postfix -c "$0" start`, filepath.Join(p.dir, "etc"))
	if out, err := start.CombinedOutput(); err != nil {
		t.Fatalf("start postfix: %v: %s", err, out)
	}
	p.answers(p.front)
	p.answers(p.behind)
	return p
}

// peerDir is a directory that other users may enter, and short enough for unix sockets.
func peerDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "parley-peers-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// freeAddr is an address that was free a moment ago.
func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func (p *postfixPeer) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func (p *postfixPeer) write(name, text string) {
	p.Helper()
	path := filepath.Join(p.dir, name)
	p.must(errors.Join(os.WriteFile(path, []byte(text), 0o644), os.Chmod(path, 0o644)))
}

func (p *postfixPeer) certificate() {
	p.Helper()
	ca, err := mailtest.NewAuthority()
	p.must(err)
	config, err := ca.Server(time.Now(), peerName)
	p.must(err)
	cert, key, err := mailtest.PairPEM(config)
	p.must(err)
	p.write("ca.pem", string(ca.PEM()))
	p.write("tls.pem", string(key)+string(cert))
}

// login starts a Dovecot that does nothing but judge passwords.
func (p *postfixPeer) login() {
	p.Helper()
	p.write("dovecot.conf", fmt.Sprintf(`base_dir = %[1]s/dv
state_dir = %[1]s/dv
protocols = none
ssl = no
log_path = %[1]s/dovecot.log
default_internal_user = dovecot
default_login_user = dovenull
auth_mechanisms = plain login
passdb {
  driver = static
  args = user=%[2]s password=%[3]s
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=/nonexistent
}
service auth {
  unix_listener %[1]s/auth {
    mode = 0666
  }
}
`, p.dir, peerUser, strings.ReplaceAll(peerPassword, " ", "-")))
	cmd := exec.Command("sh", "-c", `umask 022; exec dovecot -F -c "$0"`, filepath.Join(p.dir, "dovecot.conf"))
	p.must(cmd.Start())
	p.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		_ = cmd.Wait()
	})
	p.until("the socket of Dovecot", func() bool {
		info, err := os.Stat(filepath.Join(p.dir, "auth"))
		return err == nil && info.Mode().Type() == fs.ModeSocket
	})
}

// until waits for what a peer does in its own time.
func (p *postfixPeer) until(what string, is func() bool) {
	p.Helper()
	waitUntil(p, what, is)
}

func waitUntil(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("within %s there is not: %s", patience, what)
		}
	}
}

func (p *postfixPeer) answers(addr string) {
	p.Helper()
	p.until("an answer at "+addr, func() bool {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		defer func() { _ = c.Close() }()
		b := make([]byte, 3)
		_ = c.SetReadDeadline(time.Now().Add(patience))
		_, err = io.ReadFull(c, b)
		return err == nil && string(b) == "220"
	})
}

const mainCF = `compatibility_level = 3.6
queue_directory = %[1]s/q
data_directory = %[1]s/data
command_directory = /usr/sbin
daemon_directory = %[2]s
mail_owner = postfix
setgid_group = postdrop
myhostname = relay.example.net
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
relay_domains = vdp.example.org
relay_recipient_maps =
local_recipient_maps =
alias_maps =
alias_database =
transport_maps = inline:{ vdp.example.org=lmtp:%[3]s }
relayhost = [127.0.0.1]:%[4]s
maillog_file = %[1]s/data/log
maillog_file_prefixes = %[1]s
smtpd_tls_cert_file = %[1]s/tls.pem
smtpd_tls_key_file = %[1]s/tls.pem
smtpd_tls_received_header = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = %[1]s/auth
smtpd_sasl_authenticated_header = yes
smtpd_recipient_restrictions = reject_unauth_destination
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtputf8_enable = no
biff = no
`

const masterCF = `%s inet n - n - - smtpd
%s inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_tls_auth_only=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
`

const masterServices = `pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
lmtp unix - - n - - lmtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`

// subjectsIn are those of the mails in a folder of the desk.
func (d *demo) subjectsIn(t testing.TB, folder string) (all []string) {
	t.Helper()
	err := d.app.store.View(func(tx *store.Tx) error {
		box, err := tx.MailboxNamed("", folder)
		if err != nil {
			return err
		}
		for m, err := range tx.MessagesIn(box.Number) {
			if err != nil {
				return err
			}
			all = append(all, m.Envelope.Subject)
		}
		return nil
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	return all
}

func (d *demo) countIn(t testing.TB, folder string) int { return len(d.subjectsIn(t, folder)) }
