package dkim

import (
	"fmt"
	"strings"

	"github.com/emersion/go-msgauth/dkim"
)

// signed are the fields that a signature covers (RFC 6376 section 5.4.1), each named once more than a mail of ours has it: one
// that is added on the way breaks the signature (section 8.15). It is the same list for every mail, so that it tells nothing.
//
// Not among them is what mail servers on the way add by right: Received, Return-Path, Sender.
var signed = []string{
	"From", "From", "To", "To", "Cc", "Subject", "Subject", "Date", "Date", "Message-ID", "Message-ID", "Reply-To", "Reply-To",
	"In-Reply-To", "References", "References", "Autocrypt", "Autocrypt", "Auto-Submitted", "Auto-Submitted",
	"MIME-Version", "MIME-Version", "Content-Type", "Content-Type", "Content-Transfer-Encoding", "Content-Transfer-Encoding",
}

// A Signing signs one message with every key, while the message is written to it. It holds nothing of the message but its
// header. One goroutine uses it.
type Signing struct{ signers []*dkim.Signer }

// NewSigning begins. It must end with Fields or Abort.
//
// A signature has no end (x=): a mail may leave days after it was signed, by a person's word even weeks after, and its bytes
// never change then. It lasts for as long as its record is published.
func NewSigning(domain string, keys []*Key) (*Signing, error) {
	s := &Signing{}
	for _, k := range keys {
		// Relaxed: servers on the way fold fields anew and cut spaces at the ends of lines.
		one, err := dkim.NewSigner(&dkim.SignOptions{Domain: domain, Selector: k.Selector, Signer: k.private, HeaderKeys: signed,
			HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed})
		if err != nil {
			s.Abort()
			return nil, fmt.Errorf("sign for %s: %w", domain, err)
		}
		s.signers = append(s.signers, one)
	}
	return s, nil
}

// Write takes in the next bytes of the message.
func (s *Signing) Write(b []byte) (int, error) {
	for _, one := range s.signers {
		if _, err := one.Write(b); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// Fields ends the message and gives the fields that belong in front of it, with their line ends: one for each key, or "".
func (s *Signing) Fields() (string, error) {
	var b strings.Builder
	for i, one := range s.signers {
		if err := one.Close(); err != nil {
			s.signers = s.signers[i+1:]
			s.Abort()
			return "", fmt.Errorf("sign for our domain: %w", err)
		}
		b.WriteString(one.Signature())
	}
	return b.String(), nil
}

// Abort ends without a signature. After Fields it does nothing.
func (s *Signing) Abort() {
	for _, one := range s.signers {
		_ = one.Close() // only its goroutine is to end
	}
	s.signers = nil
}
