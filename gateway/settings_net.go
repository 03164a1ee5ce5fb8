package main

import (
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// domainPattern is a host name of at least two labels (RFC 1123 section 2.1),
// in lower case.
var domainPattern = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// validDomain folds case and checks a mail domain.
func validDomain(s string) (string, bool) {
	d := strings.ToLower(s)
	last := d[strings.LastIndexByte(d, '.')+1:]
	return d, len(d) <= 253 && domainPattern.MatchString(d) && strings.Trim(last, "0123456789") != ""
}

func (r *reader) domain(v string, key string) string {
	d, ok := validDomain(v)
	if !ok {
		why := "is %q, not a mail domain such as vdp.example.org"
		if strings.ContainsFunc(v, func(c rune) bool { return c > 127 }) {
			why = "is %q; write an internationalised domain in its ASCII form, xn--…"
		}
		r.fail([]string{key}, why, v)
	}
	return d
}

// listeners reads where each endpoint listens.
func (r *reader) listeners() listen {
	c := r.c
	l := listen{SMTP: c.SMTP.Listen, LMTP: c.SMTP.LMTP, Submission: c.Submission.Listen, IMAP: c.IMAP.Listen, Monitor: c.Monitor.Address}
	if l.LMTP != "" && !c.Has("smtp", "listen") { // whoever names only this wants only this
		l.SMTP = ""
	}
	path, unix := strings.CutPrefix(l.LMTP, unixListen)
	switch {
	case unix && path != "":
		l.LMTP = unixListen + c.Resolve(path)
	case l.LMTP != "":
		r.address(l.LMTP, nil, "smtp", "lmtp")
	}
	if l.SMTP != "" || l.LMTP == "" {
		r.address(l.SMTP, []string{l.LMTP}, "smtp", "listen")
	}
	if l.LMTP != "" && !unix && !onLoopback(l.LMTP) {
		r.warn([]string{"smtp", "lmtp"}, "is not a loopback address: whoever reaches it can say who wrote a mail, which the mail server in front is there to judge")
	}
	r.address(l.Submission, []string{l.SMTP, l.LMTP}, "submission", "listen")
	r.address(l.IMAP, []string{l.SMTP, l.LMTP, l.Submission}, "imap", "listen")
	switch path, unix := strings.CutPrefix(l.Monitor, unixListen); {
	case unix && path != "":
		l.Monitor = unixListen + c.Resolve(path)
	case l.Monitor == "":
	case !onLoopback(l.Monitor):
		r.fail([]string{"monitor", "address"}, "is %q; it can be a loopback address and port such as 127.0.0.1:9464, or unix:PATH", l.Monitor)
	default:
		r.address(l.Monitor, []string{l.SMTP, l.LMTP, l.Submission, l.IMAP}, "monitor", "address")
	}
	return l
}

// unixListen begins the address of a unix socket.
const unixListen = "unix:"

// onLoopback says that a host:port is on this machine alone.
func onLoopback(v string) bool {
	host, _, err := net.SplitHostPort(v)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// address checks a host:port to listen on that others do not have yet. Port 0
// is any free one.
func (r *reader) address(v string, taken []string, path ...string) {
	host, port, err := net.SplitHostPort(v)
	n, bad := strconv.ParseUint(port, 10, 16)
	if err != nil || bad != nil || strings.ContainsAny(host, " /@") {
		r.fail(path, "is %q; it can be an address and port such as 127.0.0.1:25, [::1]:25 or :25", v)
		return
	}
	if n != 0 && slices.Contains(taken, v) {
		r.fail(path, "is %s, which serves something else already", v)
	}
}
