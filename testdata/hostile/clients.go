package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"sync/atomic"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"parley/testdata/live"
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
func look(ctx context.Context, g *live.Gateway, ip string) error {
	trust, err := g.Trust()
	if err != nil {
		return err
	}
	conn, err := dial(ctx, g.Port("imap"), ip)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	c := imapclient.New(tls.Client(conn, trust), nil)
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

// idler is a mail client that waits for news of Intake (RFC 9051 section 6.3.13).
type idler struct {
	client *imapclient.Client
	idle   *imapclient.IdleCommand
	news   atomic.Int64 // how often it heard of new mail
}

func idle(ana *live.Coordinator) (*idler, error) {
	i := &idler{}
	var err error
	i.client, err = ana.IMAP(&imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(d *imapclient.UnilateralDataMailbox) {
			if d.NumMessages != nil {
				i.news.Add(1)
			}
		},
	}})
	if err != nil {
		return nil, err
	}
	if _, err = i.client.Select("Intake", nil).Wait(); err == nil {
		i.idle, err = i.client.Idle()
	}
	return i, err
}

// end says whether it was served all the time.
func (i *idler) end() error {
	defer func() { _ = i.client.Close() }()
	err := errors.Join(i.idle.Close(), i.idle.Wait(), i.client.Noop().Wait())
	if err != nil {
		return fmt.Errorf("a client that idled: %w", err)
	}
	if i.news.Load() == 0 {
		return errors.New("a client that idled heard of no new mail")
	}
	return nil
}
