// Package config reads Parley's configuration file: TOML, strict, every key
// with a default that config/example.toml documents.
//
// Values stay text here. What a duration, a size or an instant means is
// decided where it is used; Where then names the line and column of a value
// that turned out to be impossible.
package config

import "strconv"

// Config is the configuration file. The toml tags are the keys.
type Config struct {
	Domain     string `toml:"domain"`      // public mail domain; the one key without a default
	DeskDomain string `toml:"desk_domain"` // the coordinators' mail domain; "desk." + Domain
	StateDir   string `toml:"state_dir"`   // the store, mode 0700
	CasePrefix string `toml:"case_prefix"` // first part of a case tag
	Unlock     string `toml:"unlock"`      // file:PATH, credential:NAME, env:NAME or prompt:
	Templates  string `toml:"templates"`   // folder of mails in place of the shipped ones; empty: none

	SMTP        SMTP              `toml:"smtp"`
	Submission  Listener          `toml:"submission"`
	IMAP        Listener          `toml:"imap"`
	TLS         TLS               `toml:"tls"`
	Outbound    Outbound          `toml:"outbound"`
	Monitor     Monitor           `toml:"monitor"`
	Reports     Reports           `toml:"reports"`
	Desk        Desk              `toml:"desk"`
	Keys        Keys              `toml:"keys"`
	Publication Publication       `toml:"publication"`
	Retention   Retention         `toml:"retention"`
	Limits      Limits            `toml:"limits"`
	Policy      map[string]Policy `toml:"policy"` // by name; those of the same name as a shipped one replace it key by key

	doc *document
}

// SMTP is the public port.
type SMTP struct {
	Listen string `toml:"listen"` // host:port
	LMTP   string `toml:"lmtp"`   // host:port or unix:PATH for LMTP behind an existing mail server
	Origin bool   `toml:"origin"` // what DNS says of where a mail came from is looked up, and shown
}

// Listener is a port with implicit TLS.
type Listener struct {
	Listen string `toml:"listen"` // host:port
}

// Monitor is where a monitoring system asks.
type Monitor struct {
	Address string `toml:"address"` // loopback host:port, unix:PATH, or empty
}

// TLS names the certificate chain and key, PEM files.
type TLS struct {
	Cert string `toml:"cert"`
	Key  string `toml:"key"`
}

// Outbound is how mail leaves.
type Outbound struct {
	Smarthost string      `toml:"smarthost"` // URL without a password; empty: nothing leaves
	Password  string      `toml:"password"`  // of the smarthost's login: file:PATH, credential:NAME, env:NAME, or empty
	TLSName   string      `toml:"tls_name"`  // in the smarthost's certificate; empty: the host of the URL
	CA        string      `toml:"ca"`        // PEM file of the authorities that may have signed it; empty: the machine's
	Hello     string      `toml:"hello"`     // our name in EHLO; empty: domain
	Subject   string      `toml:"subject"`   // constant outer Subject
	Retry     []string    `toml:"retry"`     // durations; the last one repeats
	GiveUp    string      `toml:"give_up"`   // duration
	Next      []Smarthost `toml:"next"`      // those that are tried, in this order, when the first one fails for now
}

// Smarthost is another mail server that takes our mail; see Outbound.
type Smarthost struct {
	Smarthost string `toml:"smarthost"`
	Password  string `toml:"password"`
	TLSName   string `toml:"tls_name"`
	CA        string `toml:"ca"`
	Hello     string `toml:"hello"`
}

// Smarthosts are all of them in order, with the table that each stands in; none if nothing leaves.
func (o Outbound) Smarthosts() (all []Smarthost, at [][]string) {
	if first := (Smarthost{o.Smarthost, o.Password, o.TLSName, o.CA, o.Hello}); first != (Smarthost{}) || len(o.Next) > 0 {
		all, at = append(all, first), append(at, []string{"outbound"})
	}
	for i, s := range o.Next {
		all, at = append(all, s), append(at, []string{"outbound", "next", strconv.Itoa(i)})
	}
	return all, at
}

// Reports is how reports are taken.
type Reports struct {
	Plaintext string `toml:"plaintext"` // "accept" or "refuse"
}

// Desk is how the coordinators work.
type Desk struct {
	Undo    string `toml:"undo"`     // duration
	CoolOff string `toml:"cool_off"` // duration
	Digest  string `toml:"digest"`   // time of day, "08:00", or "off"
	Zone    string `toml:"zone"`     // IANA, of coordinators who have none of their own
}

// Publication is what stands in what is published.
type Publication struct {
	CVEOrg string `toml:"cve_org"` // our UUID as a CVE numbering authority, or empty
}

// Keys is how the keys of parties are treated.
type Keys struct {
	Pause     string `toml:"pause"`     // duration, after a party's key changed
	Discovery bool   `toml:"discovery"` // they are looked for where their domains publish them
	Private   bool   `toml:"private"`   // at private and loopback addresses, too; for tests
	Port      int    `toml:"port"`      // for tests
	Roots     string `toml:"roots"`     // PEM file of authorities in place of the machine's; for tests
}

// Retention is how long what nobody needs any more is kept; 0 is for ever.
type Retention struct {
	Closed string `toml:"closed"` // duration, after which the desk is asked whether a closed case is to be destroyed
	Junk   string `toml:"junk"`   // duration, after which what was thrown away is removed
}

// Limits bound what peers may ask for.
type Limits struct {
	Message          string `toml:"message"` // size
	Header           string `toml:"header"`  // size
	Depth            int    `toml:"depth"`
	Parts            int    `toml:"parts"`
	Received         int    `toml:"received"`
	Recipients       int    `toml:"recipients"`
	Connections      int    `toml:"connections"`
	ConnectionsPerIP int    `toml:"connections_per_ip"`
	Command          string `toml:"command"` // duration
	Data             string `toml:"data"`    // duration
	AuthFailures     int    `toml:"auth_failures"`
	Guard            string `toml:"guard"`   // size
	Reserve          string `toml:"reserve"` // size; 0B: none
}

// Policy is the timetable of a disclosure. Has tells a key that was left out
// from one that is zero.
type Policy struct {
	Embargo    string   `toml:"embargo"`  // duration
	Wave       string   `toml:"wave"`     // duration
	Remind     []string `toml:"remind"`   // durations
	Lead       string   `toml:"lead"`     // duration
	Leak       string   `toml:"leak"`     // duration
	Upstream   int      `toml:"upstream"` // waves
	Holidays   []string `toml:"holidays"` // days, of one year or of all
	Publish    []string `toml:"publish"`  // days of the week
	Confirmers int      `toml:"confirmers"`
	Stage      []Stage  `toml:"stage"`
}

// Stage is one stage of a policy.
type Stage struct {
	Name      string   `toml:"name"`
	At        string   `toml:"at"` // start, start+3d, end-14d, end
	Needs     []string `toml:"needs"`
	Trust     string   `toml:"trust"`
	Approvals int      `toml:"approvals"`
	Approval  string   `toml:"approval"` // "gesture" or "signed"
	TLP       string   `toml:"tlp"`
}

// Defaults is the configuration of an empty file, except for the domain,
// which has no default, and the policies, which are shipped elsewhere.
func Defaults() Config {
	return Config{
		StateDir:   "state",
		CasePrefix: "PAR",
		Unlock:     "file:unlock",
		SMTP:       SMTP{Listen: "127.0.0.1:25", Origin: true},
		Submission: Listener{Listen: "127.0.0.1:465"},
		IMAP:       Listener{Listen: "127.0.0.1:993"},
		TLS:        TLS{Cert: "tls.crt", Key: "tls.key"},
		Outbound: Outbound{
			Subject: "Confidential message (encrypted)",
			Retry:   []string{"1m", "5m", "15m", "1h", "3h"},
			GiveUp:  "3d",
		},
		Reports:   Reports{Plaintext: "accept"},
		Desk:      Desk{Undo: "2m", CoolOff: "12h", Digest: "08:00", Zone: "UTC"},
		Keys:      Keys{Pause: "24h", Discovery: true, Port: 443},
		Retention: Retention{Closed: "0s", Junk: "0s"},
		Limits: Limits{
			Message: "50MiB", Header: "256KiB", Depth: 20, Parts: 1000, Received: 100,
			Recipients: 100, Connections: 500, ConnectionsPerIP: 20,
			Command: "1m", Data: "5m", AuthFailures: 10, Guard: "128MiB", Reserve: "256MiB",
		},
	}
}
