package discover

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

const (
	httpsPort    = 443
	maxRedirects = 3
	maxDials     = 4 // addresses of one host that are tried
)

// within bounds a look-up, whatever it fetches.
func (c *Client) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, c.Limits.withDefaults().Time, TooSlow)
}

// fetch reads what lies at u. Its errors are Faults, save that of a caller who
// stopped waiting.
func (c *Client) fetch(ctx context.Context, u *url.URL) ([]byte, error) {
	data, err := c.get(ctx, u)
	var fault Fault
	switch {
	case err == nil:
		return data, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.As(err, &fault):
		return nil, fault
	}
	return nil, NoAnswer
}

func (c *Client) get(ctx context.Context, u *url.URL) ([]byte, error) {
	l := c.Limits.withDefaults()
	if !plain(u) {
		return nil, BadURL
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, BadURL
	}
	req.Header.Set("User-Agent", "") // sends none
	client := http.Client{CheckRedirect: sameHost, Transport: &http.Transport{
		DialTLSContext:         func(_ context.Context, _, addr string) (net.Conn, error) { return c.dial(ctx, addr) },
		DialContext:            func(context.Context, string, string) (net.Conn, error) { return nil, BadURL },
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: l.Header,
	}}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() // nothing is kept of the connection
	switch {
	case res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusGone:
		return nil, NotFound
	case res.StatusCode != http.StatusOK:
		return nil, BadStatus
	case res.ContentLength > l.Body:
		return nil, TooLarge
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, l.Body+1))
	if err == nil && int64(len(data)) > l.Body {
		return nil, TooLarge
	}
	return data, err
}

// plain reports whether u is https to a host by its name, and nothing that could
// lead elsewhere.
func plain(u *url.URL) bool {
	_, err := netip.ParseAddr(u.Hostname())
	port := u.Port()
	return u.Scheme == "https" && u.User == nil && u.Opaque == "" && strings.Contains(u.Hostname(), ".") && err != nil &&
		(port == "" && !strings.HasSuffix(u.Host, ":") || port == strconv.Itoa(httpsPort))
}

// sameHost follows a redirect that stays on its host, and tells the host
// nothing that it does not know.
func sameHost(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects || !plain(req.URL) || !strings.EqualFold(req.URL.Hostname(), via[0].URL.Hostname()) {
		return BadRedirect
	}
	req.Header.Del("Referer")
	return nil
}

// dial connects to a host, by an address that was looked at, and verifies it.
func (c *Client) dial(ctx context.Context, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, BadURL
	}
	ips, err := c.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	for _, ip := range ips[:min(len(ips), maxDials)] {
		raw, err := new(net.Dialer).DialContext(ctx, "tcp", netip.AddrPortFrom(ip, c.port()).String())
		if err != nil {
			continue
		}
		conn := tls.Client(raw, &tls.Config{ServerName: host, RootCAs: c.Roots, MinVersion: tls.VersionTLS12})
		if err := conn.HandshakeContext(ctx); err != nil {
			_ = raw.Close() // what went wrong is said already
			return nil, BadTLS
		}
		return conn, nil
	}
	return nil, NoAnswer
}

func (c *Client) port() uint16 {
	if c.Port != 0 {
		return c.Port
	}
	return httpsPort
}

// resolve gives the addresses of a host. One that is not public spoils them
// all: an honest host has none, and which of them is tried is chance.
func (c *Client) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if !c.Private && Nowhere(host) {
		return nil, NoHost
	}
	var r Resolver = net.DefaultResolver
	if c.Resolver != nil {
		r = c.Resolver
	}
	found, err := r.LookupNetIP(ctx, "ip", strings.TrimSuffix(host, ".")+".") // absolute: no search list
	var gone *net.DNSError
	switch {
	case errors.As(err, &gone) && gone.IsNotFound:
		return nil, NoHost
	case err != nil:
		return nil, NoAnswer
	case len(found) == 0:
		return nil, NoHost
	}
	for i, a := range found {
		if !c.Private && !Public(a) {
			return nil, Refused
		}
		found[i] = a.Unmap()
	}
	return found, nil
}
