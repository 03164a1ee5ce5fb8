package mailflow

import (
	"fmt"
	"slices"
	"time"

	"parley/mailflow/dkim"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// NewDomainKey makes the next key of an algorithm, whose record is then to be
// published. There is one next key of each at most.
func (b *Base) NewDomainKey(by Actor, a dkim.Algorithm) (DomainKey, error) {
	b.DomainKeys.changing.Lock()
	defer b.DomainKeys.changing.Unlock()
	all := b.DomainKeys.All()
	for _, k := range all {
		if k.State == DomainKeyNext && k.Algorithm == a {
			return k, notDone("the next key of that kind is %s, made %s: publish its record and let it sign, or give it up with parley dkim stop", k.Selector, utc(k.Since))
		}
	}
	key, err := dkim.Generate(a, freeSelector(all, a, b.clock()))
	if err != nil {
		return DomainKey{}, err
	}
	return b.DomainKeys.find(key.Selector, b.DomainKeys.change(b.Store, func(tx *store.Tx) error { return addDomainKey(tx, by.Name, key) }))
}

// KeepFirstDomainKey seals the key whose record a new gateway's operator publishes
// with all others.
func KeepFirstDomainKey(st *store.Store, now time.Time) (DomainKey, error) {
	d := &DomainKeys{}
	key, err := dkim.Generate(dkim.RSA2048, freeSelector(nil, dkim.RSA2048, now))
	if err != nil {
		return DomainKey{}, err
	}
	return d.find(key.Selector, d.change(st, func(tx *store.Tx) error { return addDomainKey(tx, Operator, key) }))
}

func addDomainKey(tx *store.Tx, by string, key *dkim.Key) error {
	if err := tx.NewScope(DeskScope); err != nil {
		return err
	}
	secret, err := key.Bytes()
	if err != nil {
		return err
	}
	n, err := tx.Next("domain-key")
	if err != nil {
		return err
	}
	row := domainKeyRow{Selector: key.Selector, State: DomainKeyNext, Record: key.Record(), Secret: secret, Since: tx.Now}
	if err := domainKeys.Put(tx, DeskScope, store.Seq(n), row); err != nil {
		return err
	}
	return record(tx, journal.Record{Actor: by, Kind: "domain-key.made", Ref: key.Selector, Detail: string(key.Algorithm)})
}

// freeSelector names a key after its kind and the day. It stands in every mail, and
// tells nothing of what we run.
func freeSelector(all []DomainKey, a dkim.Algorithm, now time.Time) string {
	base := string(a[0]) + now.UTC().Format("20060102")
	name := base
	for i := 2; slices.ContainsFunc(all, func(k DomainKey) bool { return k.Selector == name }); i++ {
		name = fmt.Sprintf("%s-%d", base, i)
	}
	return name
}

// BeginDomainKey lets a next key sign from now on, in place of the one of its kind,
// whose secret is destroyed. seen asks DNS for its record: until others can find it,
// every mail would look forged. With seen nil the operator answers for that.
func (b *Base) BeginDomainKey(by Actor, selector string, seen func(name string) ([]string, error)) (DomainKey, error) {
	b.DomainKeys.changing.Lock()
	defer b.DomainKeys.changing.Unlock()
	k, err := b.DomainKeys.find(selector, nil)
	switch {
	case err != nil:
		return k, err
	case k.State != DomainKeyNext:
		return k, notDone("%s is %s since %s; parley dkim new makes the next key", selector, k.State, utc(k.Since))
	case k.Algorithm != dkim.RSA2048 && !slices.ContainsFunc(b.DomainKeys.All(), func(o DomainKey) bool { return o.State == DomainKeySigning && o.Algorithm == dkim.RSA2048 }):
		return k, notDone("many receivers verify RSA only, and would take its mails for unsigned: let a key of the kind %s sign first", dkim.RSA2048)
	}
	if seen != nil {
		name := dkim.Name(selector, b.Domain)
		published, err := seen(name)
		if err != nil {
			return k, notDone("the TXT record of %s cannot be looked up (%v); nothing changed", name, err)
		}
		if err := dkim.Fits(k.Record, published); err != nil {
			return k, notDone("the TXT record of %s does not fit: %v; nothing changed", name, err)
		}
	}
	return b.DomainKeys.find(selector, b.DomainKeys.change(b.Store, func(tx *store.Tx) error { return beginDomainKey(tx, by.Name, k) }))
}

func beginDomainKey(tx *store.Tx, by string, next DomainKey) error {
	all, err := readDomainKeys(tx)
	if err != nil {
		return err
	}
	for _, k := range all {
		if k.State == DomainKeySigning && k.Algorithm == next.Algorithm {
			if err := endDomainKey(tx, by, k); err != nil {
				return err
			}
		}
	}
	row, err := domainKeys.Get(tx, store.Seq(next.Number))
	if err != nil {
		return err
	}
	row.State, row.Since = DomainKeySigning, tx.Now
	if err := domainKeys.Put(tx, DeskScope, store.Seq(next.Number), row); err != nil {
		return err
	}
	return record(tx, journal.Record{Actor: by, Kind: "domain-key.signs", Ref: next.Selector, Detail: string(next.Algorithm)})
}

// endDomainKey destroys the secret of a key that signed.
func endDomainKey(tx *store.Tx, by string, k DomainKey) error {
	row := domainKeyRow{Selector: k.Selector, State: DomainKeyOld, Record: k.Record, Since: tx.Now}
	if err := domainKeys.Put(tx, DeskScope, store.Seq(k.Number), row); err != nil {
		return err
	}
	return record(tx, journal.Record{Actor: by, Kind: "domain-key.ended", Ref: k.Selector})
}

// StopDomainKey ends a key with nothing in its place: one that signs is old then,
// and a next one is gone.
func (b *Base) StopDomainKey(by Actor, selector string) (DomainKey, error) {
	b.DomainKeys.changing.Lock()
	defer b.DomainKeys.changing.Unlock()
	k, err := b.DomainKeys.find(selector, nil)
	switch {
	case err != nil:
		return k, err
	case k.State == DomainKeyOld:
		return k, notDone("%s signs no more since %s", selector, utc(k.Since))
	}
	return k, b.DomainKeys.change(b.Store, func(tx *store.Tx) error {
		if k.State == DomainKeySigning {
			return endDomainKey(tx, by.Name, k)
		}
		if err := domainKeys.Delete(tx, store.Seq(k.Number)); err != nil {
			return err
		}
		return record(tx, journal.Record{Actor: by.Name, Kind: "domain-key.dropped", Ref: k.Selector})
	})
}

// change runs one change: in the store, then for whatever is signed from now on.
func (d *DomainKeys) change(st *store.Store, fn func(*store.Tx) error) error {
	if err := st.Update(fn); err != nil {
		return err
	}
	return d.load(st)
}

// find gives the key of a selector, unless something went wrong before.
func (d *DomainKeys) find(selector string, err error) (DomainKey, error) {
	if err != nil {
		return DomainKey{}, err
	}
	all := d.All()
	i := slices.IndexFunc(all, func(k DomainKey) bool { return k.Selector == selector })
	if i < 0 {
		return DomainKey{}, notDone("no key of ours has the selector %q; parley dkim list shows them", selector)
	}
	return all[i], nil
}
