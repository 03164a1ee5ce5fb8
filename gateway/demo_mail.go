package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"parley/mailflow/mailtest"
)

// coordinator is one of the desk with a mail client.
type coordinator struct {
	*mailtest.Person
	password string
	imap     *imapclient.Client
	demo     *demo
}

// trust is the TLS configuration of a client that knows the gateway's
// certificate.
func (d *demo) trust() (*tls.Config, error) {
	pem, err := os.ReadFile(d.app.set.CertFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("the gateway's certificate cannot be read")
	}
	return &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}, nil
}

func (c *coordinator) login() error {
	cfg, err := c.demo.trust()
	if err != nil {
		return err
	}
	if c.imap, err = imapclient.DialTLS(c.demo.addr("imap"), &imapclient.Options{TLSConfig: cfg}); err != nil {
		return err
	}
	return c.imap.Login(c.Name, c.password).Wait()
}

// submit sends a mail as a mail client does.
func (c *coordinator) submit(to string, raw []byte) error {
	cfg, err := c.demo.trust()
	if err != nil {
		return err
	}
	s, err := smtp.DialTLS(c.demo.addr("submission"), cfg)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Auth(sasl.NewPlainClient("", c.Name, c.password)); err != nil {
		return err
	}
	if err := s.SendMail(c.Address, []string{to}, strings.NewReader(string(raw))); err != nil {
		return fmt.Errorf("mail to %s: %w", to, err)
	}
	return s.Quit()
}

// writes sends a plain mail over TLS to an address of the desk.
func (c *coordinator) writes(to, subject, text string) error {
	return c.submit(to, mailtest.Plain(c.Address, to, subject, text, c.Now()))
}

// signs sends commands, signed with the coordinator's own key and encrypted
// to the gateway.
func (c *coordinator) signs(commands ...string) error {
	to := "control@" + c.demo.app.set.DeskDomain
	ours, err := c.demo.ours()
	if err != nil {
		return err
	}
	armored, err := c.Seal(mailtest.Entity("commands", strings.Join(commands, "\n")+"\n"), ours, true)
	if err != nil {
		return err
	}
	return c.submit(to, mailtest.PGPMIME(c.Address, to, c.Now(), armored))
}

// seen is one mail of a folder.
type seen struct {
	uid     imap.UID
	subject string
	text    string
}

// reads gives the mails of a folder.
func (c *coordinator) reads(folder string) ([]seen, error) {
	data, err := c.imap.Select(folder, nil).Wait()
	if err != nil {
		return nil, err
	}
	if data.NumMessages == 0 {
		return nil, nil
	}
	all := imap.SeqSet{}
	all.AddRange(1, data.NumMessages)
	body := &imap.FetchItemBodySection{Peek: true}
	msgs, err := c.imap.Fetch(all, &imap.FetchOptions{UID: true, Envelope: true, BodySection: []*imap.FetchItemBodySection{body}}).Collect()
	if err != nil {
		return nil, err
	}
	var out []seen
	for _, m := range msgs {
		out = append(out, seen{m.UID, m.Envelope.Subject, string(m.FindBodySection(body))})
	}
	return out, nil
}

// drops copies a mail of the selected folder into another, which is how a
// coordinator presses a button.
func (c *coordinator) drops(m seen, folder string) error {
	_, err := c.imap.Copy(imap.UIDSetNum(m.uid), folder).Wait()
	return err
}

// folders lists all folder names.
func (c *coordinator) folders() ([]string, error) {
	list, err := c.imap.List("", "*", nil).Collect()
	var out []string
	for _, l := range list {
		out = append(out, l.Mailbox)
	}
	return out, err
}
