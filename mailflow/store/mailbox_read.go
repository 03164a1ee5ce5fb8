package store

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Entry returns one entry of a mailbox; ErrNotFound if the UID is not there.
func (tx *Tx) Entry(mailbox, uid uint32) (Entry, error) {
	e, err := entries.Get(tx, entryKey(mailbox, uid))
	if err != nil {
		return e, fmt.Errorf("message %d of mailbox %d: %w", uid, mailbox, err)
	}
	e.UID = uid
	return e, nil
}

// UIDs lists the UIDs of a mailbox in ascending order: those of scopes that see allows, or all where see is nil. Messages of
// shredded scopes are left out where it is not. Nothing is opened for it.
func (tx *Tx) UIDs(mailbox uint32, see func(Scope) bool) ([]uint32, error) {
	if err := tx.usable(false); err != nil {
		return nil, err
	}
	c := tx.rows.cursor(entries.rows)
	if c == nil {
		return nil, nil
	}
	prefix := boxKey(mailbox)
	sees := tx.sees(see)
	var uids []uint32
	for k, v := c.seek(prefix); hasPrefix(k, prefix); k, v = c.next() {
		if len(k) != 8 {
			return nil, ErrTampered
		}
		if sees(v) {
			uids = append(uids, binary.BigEndian.Uint32(k[4:]))
		}
	}
	return uids, nil
}

// sees applies see to the scope of sealed rows, asking once for each scope.
func (tx *Tx) sees(see func(Scope) bool) func(sealed []byte) bool {
	if see == nil {
		return func([]byte) bool { return true }
	}
	known := map[uint32]bool{}
	return func(sealed []byte) bool {
		number, ok := scopeOf(sealed)
		if !ok {
			return false
		}
		allowed, ok := known[number]
		if !ok {
			k := tx.keys.numbered(number)
			allowed = k != nil && see(k.name)
			known[number] = allowed
		}
		return allowed
	}
}

// Entries calls fn for each of these UIDs, which must be in ascending order; those that are not there are left out. The entry and
// what it points to are valid until fn returns.
func (tx *Tx) Entries(mailbox uint32, uids []uint32, fn func(*Entry) error) error {
	if err := tx.usable(false); err != nil {
		return err
	}
	var (
		e     Entry
		want  = entryKey(mailbox, 0)
		plain []byte
		err   error
	)
	for _, uid := range uids {
		binary.BigEndian.PutUint32(want[4:], uid)
		v := tx.find(entries.rows, want)
		if v == nil {
			continue
		}
		// Not tx.unseal: fn may open other rows, and so needs the scratch space of the transaction.
		plain, err = tx.keys.open(plain[:0], &tx.bound, place{entries.rows, want, 0}, v)
		if errors.Is(err, ErrShredded) {
			continue
		}
		if err == nil {
			err = e.alias(plain)
		}
		if err != nil {
			return fmt.Errorf("message %d of mailbox %d: %w", uid, mailbox, err)
		}
		e.UID = uid
		if err := fn(&e); err != nil {
			return err
		}
	}
	return nil
}

// Filed says whether a UID is in a mailbox and of a scope that see allows.
func (tx *Tx) Filed(mailbox, uid uint32, see func(Scope) bool) bool {
	if tx.usable(false) != nil {
		return false
	}
	sealed := tx.rows.get(entries.rows, entryKey(mailbox, uid))
	return sealed != nil && tx.sees(see)(sealed)
}
