package main

import "parley/gateway/auth"

// limiters count the connections of each port by itself (rule M8): whoever fills the
// port that the whole world reaches takes no place from the mail server in front of
// us, and none from a coordinator. Whoever fills a coordinators' port takes none from
// an address that a good login is known of.
type limiters struct{ smtp, lmtp, submission, imap *auth.Limiter }

func newLimiters(l limits, known func(host string) bool) limiters {
	one := func() *auth.Limiter { return auth.NewLimiter(l.Connections, l.ConnectionsPerIP) }
	all := limiters{smtp: one(), lmtp: one(), submission: one(), imap: one()}
	all.submission.Known, all.imap.Known = known, known
	return all
}

// open is how many connections there are on all ports together.
func (l limiters) open() int {
	return l.smtp.Open() + l.lmtp.Open() + l.submission.Open() + l.imap.Open()
}
