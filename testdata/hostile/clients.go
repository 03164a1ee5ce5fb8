package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"os"
	"path/filepath"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

func dial(ctx context.Context, addr, from string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return c, c.SetDeadline(time.Now().Add(2 * time.Minute))
}

// send mails from an address of the loopback network.
func send(ctx context.Context, addr, ip string, mail []byte) (err error) {
	conn, err := dial(ctx, addr, ip)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	c, err := smtp.NewClient(conn, "vdp.example.org")
	if err != nil {
		return err
	}
	if err := errors.Join(c.Mail(from), c.Rcpt(reportTo)); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	_, err = bytes.NewReader(mail).WriteTo(w)
	return errors.Join(err, w.Close(), c.Quit())
}

// look logs in, opens Intake and lists its newest mails.
func look(ctx context.Context, g *gateway, ip string) error {
	pem, err := os.ReadFile(filepath.Join(g.dir, "tls.crt"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	conn, err := dial(ctx, g.imap, ip)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	c := imapclient.New(tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: "localhost"}), nil)
	defer func() { _ = c.Close() }()
	if err := c.Login("ana", password).Wait(); err != nil {
		return fmt.Errorf("login: %w", err)
	}
	box, err := c.Select("Intake", nil).Wait()
	if err != nil || box.NumMessages == 0 {
		return err
	}
	newest := imap.SeqSet{}
	newest.AddRange(max(box.NumMessages, 20)-19, box.NumMessages)
	_, err = c.Fetch(newest, &imap.FetchOptions{Envelope: true, Flags: true}).Collect()
	return err
}
