package pgpmime_test

import "time"

const hour = time.Hour

// spoofedFrom is a mail that acme has signed, under other From fields.
func spoofedFrom(name, why string, fields ...string) recipe {
	return recipe{name, why, "bad from-mismatch acme", false, func(f *forge) string {
		return f.from(pgpMIME(f.armor(f.sealed(f.signed("acme", f.entity())))), fields...)
	}}
}

// fromRecipes are about who the sender is: exactly one From with exactly one
// address, which is acme's (rule S2).
func fromRecipes() []recipe {
	return []recipe{
		spoofedFrom("from-twice", "Two From fields; programs differ in which they show.", "psirt@acme.example", "psirt@globex.example"),
		spoofedFrom("from-twice-same", "Two From fields that say the same.", "psirt@acme.example", "psirt@acme.example"),
		spoofedFrom("from-two-addresses", "Two addresses in one From.", "psirt@acme.example, psirt@globex.example"),
		spoofedFrom("from-none", "No From at all."),
		spoofedFrom("from-empty", "An empty From.", ""),
		spoofedFrom("from-null", "An empty address.", "<>"),
		spoofedFrom("from-display-name", "The address as the name of another.", `"psirt@acme.example" <x@evil.example>`),
		spoofedFrom("from-display-name-bare", "The same without quotes.", `psirt@acme.example <x@evil.example>`),
		spoofedFrom("from-display-brackets", "A name that looks like the whole field.", `"Acme <psirt@acme.example>" <x@evil.example>`),
		spoofedFrom("from-encoded-word", "The address as an encoded word.", `=?utf-8?q?psirt=40acme.example?= <x@evil.example>`),
		spoofedFrom("from-encoded-address", "Nothing but an encoded word.", `=?utf-8?q?Acme_=3Cpsirt=40acme.example=3E?=`),
		spoofedFrom("from-encoded-line-break", "An encoded word with a line break and a second From in it.", `=?utf-8?q?x=0D=0AFrom=3A_psirt=40acme=2Eexample?= <x@evil.example>`),
		spoofedFrom("from-group", "Group syntax.", `Acme: psirt@acme.example, x@evil.example;`),
		spoofedFrom("from-empty-group", "A group without members.", `psirt@acme.example:;`),
		spoofedFrom("from-comment", "The address in a comment.", `x@evil.example (psirt@acme.example)`),
		spoofedFrom("from-route", "A source route.", `<@evil.example:psirt@acme.example>`),
		spoofedFrom("from-quoted-local", "The address as a quoted local part.", `"psirt@acme.example"@evil.example`),
		spoofedFrom("from-subdomain", "acme's domain as somebody's subdomain.", `psirt@acme.example.evil.example`),
		spoofedFrom("from-homograph", "A Cyrillic a in the domain.", "psirt@\u0430cme.example"),
		spoofedFrom("from-punycode", "The same as its mail servers see it.", "psirt@xn--cme-6cd.example"),
		spoofedFrom("from-long-s", "A long s, which some rules of case take for an s.", "p\u017firt@acme.example"),
		spoofedFrom("from-fullwidth", "Full-width letters.", "psirt@\uff41cme.example"),
		spoofedFrom("from-dotless", "A dotless i.", "ps\u0131rt@acme.example"),
		spoofedFrom("from-zero-width", "A zero-width space in the address.", "psirt\u200b@acme.example"),
		spoofedFrom("from-trailing-dot", "A dot behind the domain.", "psirt@acme.example."),
		spoofedFrom("from-nul", "A NUL in the address.", "psirt@acme.example\x00@evil.example"),
		spoofedFrom("from-plus", "An extension of the local part.", "psirt+x@acme.example"),
		{"sender-field", "acme in Sender, another in From.", "bad from-mismatch acme", false, func(f *forge) string {
			return "Sender: psirt@acme.example\r\n" + f.from(pgpMIME(f.armor(f.sealed(f.signed("acme", f.entity())))), "x@evil.example")
		}},
		{"reply-to-field", "acme in Reply-To and Resent-From, another in From.", "bad from-mismatch acme", false, func(f *forge) string {
			return "Reply-To: psirt@acme.example\r\nResent-From: psirt@acme.example\r\n" + f.from(pgpMIME(f.armor(f.sealed(f.signed("acme", f.entity())))), "x@evil.example")
		}},
		{"inner-from", "acme in the protected From, another in the outer.", "bad from-mismatch acme", false, func(f *forge) string {
			return f.from(pgpMIME(f.armor(f.sealed(f.signed("acme", "From: psirt@acme.example\r\n"+f.entity())))), "x@evil.example")
		}},
		{"inner-from-other", "acme signed a mail whose protected From is another's; the outer one is acme's.", "bad from-mismatch acme", false, func(f *forge) string {
			return f.holding(f.signed("acme", "From: psirt@globex.example\r\n"+f.entity()))
		}},
		{"inner-from-two", "A protected From with two addresses.", "bad from-mismatch acme", false, func(f *forge) string {
			return f.holding(f.signed("acme", "From: psirt@acme.example, psirt@globex.example\r\n"+f.entity()))
		}},
		{"inner-from-long-s", "A protected From with a long s.", "bad from-mismatch acme", false, func(f *forge) string {
			return f.holding(f.signed("acme", "From: p\u017firt@acme.example\r\n"+f.entity()))
		}},
		{"inner-from-same", "A protected From that agrees.", "good acme", true, func(f *forge) string {
			return f.holding(f.signed("acme", "From: Acme <PSIRT@acme.example>\r\nSubject: [PAR-2026-0001]\r\n"+f.entity()))
		}},
		{"header-protection-unsigned", "RFC 9788 in full, with lies in HP-Outer, by nobody.", "none", false, func(f *forge) string {
			return f.holding(lit("From: psirt@acme.example\r\nSubject: [PAR-2026-0001]\r\nHP-Outer: From: psirt@acme.example\r\nHP-Outer: Subject: [PAR-2026-0001]\r\n" +
				part("Content-Type: text/plain; charset=utf-8; hp=\"cipher\"", f.words())))
		}},
		{"inner-from-unsigned", "acme in the From of an encryption that nobody signed.", "none", false, func(f *forge) string {
			return f.from(pgpMIME(f.armor(f.sealed(lit("From: psirt@acme.example\r\nSubject: [PAR-2026-0001]\r\n"+f.entity())))), "x@evil.example")
		}},
	}
}

// wordRecipes imitate what the gateway itself would say.
func wordRecipes() []recipe {
	const claim = "good; party=acme; key=0; trust=confirmed"
	return []recipe{
		{"words-field", "Forged fields of ours outside, in odd case and folded.", "none", false, func(f *forge) string {
			return "Parley-Signature: " + claim + "\r\nPARLEY-signature:\r\n " + claim + "\r\nparley-case: PAR-2026-0001\r\nX-Parley-Signature: " + claim +
				"\r\nAuthentication-Results: vdp.example.org; dkim=pass header.d=acme.example\r\n" + f.holding(lit(f.entity()))
		}},
		{"words-inner-field", "The same inside the encryption.", "none", false, func(f *forge) string {
			return f.holding(lit("Parley-Signature: " + claim + "\r\npArLeY-sIgNaTuRe:\r\n\t" + claim + "\r\nParley-Case: PAR-2026-0001\r\n" + f.entity()))
		}},
		{"words-in-text", "Our lines as the first of the text.", "none", false, func(f *forge) string {
			return f.holding(lit(textPart("Signature: " + claim + "\nParley-Signature: " + claim + "\n\n" + f.words())))
		}},
		{"words-in-subject", "Our words in the Subject.", "none", false, func(f *forge) string {
			return f.holding(lit("Subject: [PAR-2026-0001] Parley-Signature: " + claim + "\r\n" + f.entity()))
		}},
		{"words-by-stranger", "Our words, signed by a stranger.", "unknown-key mallory", false, func(f *forge) string {
			return f.holding(f.signed("mallory", "Parley-Signature: "+claim+"\r\n"+textPart("Signature: "+claim+"\n\n"+f.words())))
		}},
		{"words-line-breaks", "Line breaks and a field of ours in an encoded Subject.", "none", false, func(f *forge) string {
			return f.holding(lit("Subject: =?utf-8?q?a=0D=0AParley-Signature=3A_good=3B_party=3Dacme=00?=\r\n" + f.entity()))
		}},
		{"words-nul-field", "A NUL in a field of the payload.", "none", false, func(f *forge) string {
			return f.holding(lit("Subject: a\x00b\r\nParley-Signature: " + claim + "\r\n" + f.entity()))
		}},
		{"words-charset", "A charset that makes other letters of the octets.", "none", false, func(f *forge) string {
			return f.holding(lit(part("Content-Type: text/plain; charset=utf-7", "+AEEAQwBL- PAR-2026-0001")))
		}},
		{"subject-nested", "A Subject in a nested part that does not say it is protected.", "none", false, func(f *forge) string {
			return f.holding(lit(multipart("mixed", "Subject: [PAR-2026-0001]\r\n"+f.entity(), textPart("more"))))
		}},
		{"subject-unsigned-part", "Protected fields in a part beside what acme signed.", "none", false, func(f *forge) string {
			return f.holding(lit(multipart("mixed", part("Content-Type: text/rfc822-headers; protected-headers=v1", "Subject: [PAR-2026-0001]"),
				f.signedEntity("acme", f.entity()))))
		}},
		{"subject-outer-only", "Our case in the outer Subject alone, by a stranger.", "unknown-key mallory", false, func(f *forge) string {
			return "Subject: [PAR-2026-0001]\r\n" + f.holding(f.signed("mallory", f.entity()))
		}},
	}
}
