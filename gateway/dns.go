package main

import "net"

// mailHost is the host name that the records give to this machine until the
// operator puts its own.
func (s *settings) mailHost() string { return "mx." + s.Domain }

// dnsRecords are what to publish, in the form of a zone file (RFC 1035
// section 5).
func dnsRecords(s *settings) string {
	host, public, desk := s.mailHost()+".", s.Domain+".", s.DeskDomain+"."
	return table([][]string{
		{host, "IN A ADDRESS", "; this machine, port 25 from everywhere; AAAA likewise"},
		{public, "IN MX 10 " + host, "; reports and answers come here"},
		{desk, "IN A ADDRESS", "; this machine as coordinators reach it; not for the Internet"},
		{desk, "IN MX 0 .", "; no mail from outside (RFC 7505)"},
		{"_submissions._tcp." + desk, "IN SRV 0 1 " + port(s.Listen.Submission) + " " + desk, "; where coordinators send (RFC 8314)"},
		{"_imaps._tcp." + desk, "IN SRV 0 1 " + port(s.Listen.IMAP) + " " + desk, "; where they read (RFC 6186)"},
		{"_submission._tcp." + desk, "IN SRV 0 0 0 .", "; and not without TLS from the start"},
		{"_imap._tcp." + desk, "IN SRV 0 0 0 ."},
		{public, `IN TXT "v=spf1 include:RELAY -all"`, "; RELAY: the domain of your smarthost (RFC 7208)"},
		{desk, `IN TXT "v=spf1 -all"`, "; nothing is sent from it to the outside"},
		{"_dmarc." + public, `IN TXT "v=DMARC1; p=reject"`, "; once we sign with DKIM, `parley dkim sign` (RFC 7489)"},
		{"_dmarc." + desk, `IN TXT "v=DMARC1; p=reject"`},
		{"_smtp._tls." + public, `IN TXT "v=TLSRPTv1; rua=mailto:postmaster@` + s.Domain + `"`, "; who could not reach us over TLS says so (RFC 8460)"},
		{public, `IN CAA 0 issue "CA"`, "; CA: who may issue your TLS certificate (RFC 8659)"},
	})
}

func port(listen string) string {
	_, p, err := net.SplitHostPort(listen)
	if err != nil || p == "0" {
		return "PORT"
	}
	return p
}

// webRecords are what the static files need besides; WEB is the web server.
func webRecords(s *settings) string {
	return table([][]string{
		{s.Domain + ".", "IN A WEB-ADDRESS", "; pages and security.txt"},
		{"openpgpkey." + s.Domain + ".", "IN CNAME WEB.", "; keys; or leave it out"},
		{"autoconfig." + s.DeskDomain + ".", "IN CNAME WEB.", "; Thunderbird; or leave it out"},
	})
}
