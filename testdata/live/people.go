package live

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"parley/mailflow/mailtest"
)

// Coordinator is one of the desk, with a key and a login.
type Coordinator struct {
	*mailtest.Person
	Password string
	Gateway  *Gateway
}

// Coordinator gives somebody a login by the command line, as an operator does.
func (g *Gateway) Coordinator(name, password string) (*Coordinator, error) {
	p, err := mailtest.NewPerson(name, name+"@"+Desk, time.Now)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "coordinator")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	key, word := filepath.Join(dir, "key.asc"), filepath.Join(dir, "word")
	if err := errors.Join(os.WriteFile(key, p.PublicKey(), 0o600), os.WriteFile(word, []byte(password+"\n"), 0o600)); err != nil {
		return nil, err
	}
	_, err = g.On("coordinator", "add", name, "--password-file", word, "--key", key)
	return &Coordinator{p, password, g}, err
}

// Vendor puts a party into the directory, with its key confirmed.
func (g *Gateway) Vendor(name string) (*mailtest.Person, error) {
	p, err := mailtest.NewPerson(name, "psirt@"+name+".example", time.Now)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "vendor")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "key.asc")
	if err := os.WriteFile(path, p.PublicKey(), 0o600); err != nil {
		return nil, err
	}
	if _, err := g.Do(fmt.Sprintf("vendor add %s %s", name, p.Address)); err != nil {
		return nil, err
	}
	_, err = g.On("key", "import", path, "--party", name, "--confirm", p.Fingerprint())
	return p, err
}

// IMAP logs in as a mail client.
func (c *Coordinator) IMAP(o *imapclient.Options) (*imapclient.Client, error) {
	trust, err := c.Gateway.Trust()
	if err != nil {
		return nil, err
	}
	if o == nil {
		o = &imapclient.Options{}
	}
	o.TLSConfig = trust
	client, err := imapclient.DialTLS(c.Gateway.Port("imap"), o)
	if err != nil {
		return nil, err
	}
	if err := client.Login(c.Name, c.Password).Wait(); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return client, nil
}

// Submit sends a mail as a mail client does.
func (c *Coordinator) Submit(to string, raw []byte) error {
	trust, err := c.Gateway.Trust()
	if err != nil {
		return err
	}
	m := mailtest.Mailer{Addr: c.Gateway.Port("submission"), TLS: trust, User: c.Name, Password: c.Password}
	return m.Send(c.Address, []string{to}, raw)
}

// Writes sends a plain mail to an address of the desk.
func (c *Coordinator) Writes(local, subject, text string) error {
	to := local + "@" + Desk
	return c.Submit(to, mailtest.Plain(c.Address, to, subject, text, time.Now()))
}

// Signs sends commands, signed with the coordinator's own key and encrypted to the
// gateway's.
func (c *Coordinator) Signs(ours []byte, commands ...string) error {
	to := "control@" + Desk
	armored, err := c.Seal(mailtest.Entity("commands", strings.Join(commands, "\n")+"\n"), ours, true)
	if err != nil {
		return err
	}
	return c.Submit(to, mailtest.PGPMIME(c.Address, to, time.Now(), armored))
}

// Mail is one of a folder, as the gateway serves it.
type Mail struct {
	UID imap.UID
	Raw []byte
}

// Read gives the mails of a folder.
func Read(client *imapclient.Client, folder string) ([]Mail, error) {
	box, err := client.Select(folder, nil).Wait()
	if err != nil || box.NumMessages == 0 {
		return nil, err
	}
	all := imap.SeqSet{}
	all.AddRange(1, box.NumMessages)
	body := &imap.FetchItemBodySection{Peek: true}
	mails, err := client.Fetch(all, &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{body}}).Collect()
	var out []Mail
	for _, m := range mails {
		out = append(out, Mail{m.UID, m.FindBodySection(body)})
	}
	return out, err
}

// IDs counts the Message-IDs of a folder.
func IDs(client *imapclient.Client, folder string) (map[string]int, error) {
	box, err := client.Select(folder, &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil || box.NumMessages == 0 {
		return nil, err
	}
	all := imap.SeqSet{}
	all.AddRange(1, box.NumMessages)
	mails, err := client.Fetch(all, &imap.FetchOptions{Envelope: true}).Collect()
	found := map[string]int{}
	for _, m := range mails {
		found[m.Envelope.MessageID]++
	}
	return found, err
}

// Folders lists the folders that can be selected.
func Folders(client *imapclient.Client) (out []string, err error) {
	all, err := client.List("", "*", nil).Collect()
	for _, l := range all {
		if !slices.Contains(l.Attrs, imap.MailboxAttrNoSelect) && !slices.Contains(l.Attrs, imap.MailboxAttrNonExistent) {
			out = append(out, l.Mailbox)
		}
	}
	return out, err
}

var messageID = regexp.MustCompile(`(?mi)^Message-ID:\s*<([^>]+)>`)

// MessageID is that of a mail's header, without its brackets; "" if it has none.
func MessageID(raw []byte) string {
	head, _, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	if m := messageID.FindSubmatch(head); m != nil {
		return string(m[1])
	}
	return ""
}

var threadAddress = regexp.MustCompile(`(?mi)^From: .*?(case\+[^@\s]+@[^>\s]+)`)

// Thread is the address that a mail of the gateway came from, which is where its
// reader answers.
func Thread(raw []byte) string {
	if m := threadAddress.FindSubmatch(raw); m != nil {
		return string(m[1])
	}
	return ""
}
