package faults

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// reader is a coordinator's mail program.
type reader struct{ *imapclient.Client }

// trust knows the gateway's certificate.
func (g *gateway) trust() (*tls.Config, error) {
	pem, err := os.ReadFile(filepath.Join(g.dir, "tls.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("the gateway's certificate cannot be read")
	}
	return &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}, nil
}

func (g *gateway) read() (*reader, error) {
	cfg, err := g.trust()
	if err != nil {
		return nil, err
	}
	c, err := imapclient.DialTLS(g.imap, &imapclient.Options{TLSConfig: cfg})
	if err != nil {
		return nil, err
	}
	return &reader{c}, c.Login("ana", password).Wait()
}

// incoming are the folders that mails from outside come into.
func incoming(folder string) bool {
	return folder == "Intake" || folder == "Quarantine" || strings.HasPrefix(folder, "Cases/")
}

// count says how often each Message-ID stands in the folders that mails come into.
func (r *reader) count() (map[string]int, error) {
	list, err := r.List("", "*", nil).Collect()
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for _, l := range list {
		if !incoming(l.Mailbox) {
			continue
		}
		ids, err := r.ids(l.Mailbox)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			out[id]++
		}
	}
	return out, nil
}

// ids lists the Message-IDs of a folder.
func (r *reader) ids(folder string) ([]string, error) {
	data, err := r.Select(folder, &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil || data.NumMessages == 0 {
		return nil, err
	}
	all := imap.SeqSet{}
	all.AddRange(1, data.NumMessages)
	msgs, err := r.Fetch(all, &imap.FetchOptions{Envelope: true}).Collect()
	var out []string
	for _, m := range msgs {
		out = append(out, m.Envelope.MessageID)
	}
	return out, err
}

// counted is count of a new connection.
func (g *gateway) counted() (map[string]int, error) {
	r, err := g.read()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return r.count()
}
