package mailflow

import (
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// member is something that happens to the people of a vendor: one more may write and
// read, with a key of her own; the vendor takes an address from itself; or a person
// learns that it was a mistake.
func (h *history) member(d deed) {
	v := h.vendorOf(d)
	main, jo := addressOf(v, goodKey), addressOf(v, memberKey)
	switch d.c % 5 {
	case 0, 1:
		h.command(d, "member add "+v+" "+jo)
		h.pin(v, memberKey, keyring.Claimed)
		h.command(d, "key confirm "+v+" "+h.holder(v, memberKey).Fingerprint()+" for "+jo+` evidence "phone"`)
		if d.c%5 == 1 {
			h.pass(time.Duration(d.a%60) * time.Hour)
			h.takesAway(d, v, jo)
		}
	case 2:
		h.takesAway(d, v, jo)
	case 3:
		h.takesAway(d, v, main)
	case 4:
		if h.o.revokedAt[main] {
			h.command(d, "vendor edit "+v+" address "+main)
		}
	}
}

// takesAway is MEMBER REVOKE, of which a quarter comes unsigned, beside a code that is
// good for less.
func (h *history) takesAway(d deed, v, addr string) {
	id, signed := h.caseOf(d), d.a%4 != 0
	line := "MEMBER REVOKE " + addr
	if !signed {
		line = h.offered(id, v, 0) + "\n" + line
	}
	had := h.isMember(v, addr)
	if !h.writes(goodKey, signed, id, v, line+"\n") {
		return
	}
	good, counted := h.o.key(v, goodKey), had && !h.isMember(v, addr)
	inForce := good.trust == keyring.Confirmed && !good.gone() && !h.o.revokedAt[addressOf(v, goodKey)]
	switch c := h.o.cases[id]; {
	case counted && (!signed || good.trust == keyring.Rejected):
		h.t.Fatalf("heard: %q of %s counted, signed %v with a key that is %+v", line, v, signed, good)
	case had && !counted && signed && inForce && !c.closed && !c.seats[v].gone && !c.seats[v].finderOnly:
		h.t.Fatalf("not heard: %q of %s, signed", line, v)
	case counted:
		h.did["revoked "+addr[:2]]++
		h.o.tookAway(v, addr)
	}
	h.hears(id, v)
}

func (h *history) isMember(v, addr string) (is bool) {
	h.view(func(tx *store.Tx) error {
		p, err := PartyByID(tx, cvd.PartyID(v))
		for _, a := range p.Origins() {
			is = is || keyring.SameAddress(a, addr)
		}
		return err
	})
	return is
}

// tookAway: nothing goes to an address any more, nor to the keys of whoever reads
// there.
func (o *oracle) tookAway(v, addr string) {
	if addr == addressOf(v, goodKey) {
		o.revokedAt[addr] = true
	}
	for _, k := range o.keys[v] {
		if addressOf(v, k.name) == addr {
			k.trust, k.replacedBy = keyring.Rejected, ""
			delete(o.pausedKey, v+" "+k.name)
		}
	}
	o.askedAnew(v)
}
