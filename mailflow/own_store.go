package mailflow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"parley/keyring"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// Where our own keys lie. Each secret is sealed under a scope of its own, so
// that to retire a key is to destroy the scope's: then neither free pages nor
// this disk give it back (rule H3).
var (
	ownRows    = store.Versioned[ownRow]("own-keys")
	ownSecrets = store.Versioned[ownSecret]("own-secrets")
	// firstKeys is where stores from before states were kept have them: the
	// newest signs, all others are old.
	firstKeys = store.WriteOnce[ownSecret]("gateway-keys")
)

type ownRow struct {
	State OwnState
	Cert  []byte
	Since time.Time
	Signs time.Time
}

type ownSecret struct{ Secret []byte }

// ErrNoOwnKey says that the store holds no key of ours that signs.
var ErrNoOwnKey = errors.New("the store holds no OpenPGP key of ours")

// ownActor is who does what the clock does to our keys.
const ownActor = "parley"

func ownScope(n uint64) store.Scope { return store.Scope(fmt.Sprintf("own-key-%d", n)) }

// OpenOwnKeys reads our keys. A store that an earlier version made is brought
// into today's form first, and a retirement that was cut short is ended.
func OpenOwnKeys(st *store.Store) (*OwnKeys, error) {
	var move bool
	var cut []uint64
	err := st.View(func(tx *store.Tx) (err error) {
		move = firstKeys.Count(tx, nil) > 0
		cut, err = cutShort(tx)
		return err
	})
	if err == nil && move {
		err = st.Update(moveFirstKeys)
	}
	if err == nil && len(cut) > 0 {
		err = st.Update(func(tx *store.Tx) error { return endRetirements(tx, cut) })
	}
	o := &OwnKeys{}
	if err == nil {
		err = o.load(st)
	}
	if err != nil {
		return nil, fmt.Errorf("read our OpenPGP keys: %w", err)
	}
	return o, nil
}

// KeepFirstKey seals the key that a new gateway begins with.
func KeepFirstKey(st *store.Store, s *keyring.Secret) error {
	return st.Update(func(tx *store.Tx) error {
		if err := tx.NewScope(DeskScope); err != nil {
			return err
		}
		if ownRows.Count(tx, nil) > 0 {
			return errors.New("keep our OpenPGP key: there is one")
		}
		k := OwnKey{State: OwnSigning, Secret: s, Certificate: s.Certificate(), Since: tx.Now, Signs: tx.Now}
		return newOwnKey(tx, &k)
	})
}

// newOwnKey seals a key that the store does not have, and gives it a number.
func newOwnKey(tx *store.Tx, k *OwnKey) (err error) {
	if k.Number, err = tx.Next("own-key"); err != nil {
		return err
	}
	if err := tx.NewScope(ownScope(k.Number)); err != nil {
		return err
	}
	return putOwnKey(tx, *k)
}

// putOwnKey writes a key with its secret, if it still has one.
func putOwnKey(tx *store.Tx, k OwnKey) error {
	key := store.Seq(k.Number)
	r := ownRow{State: k.State, Cert: k.Certificate.Bytes(), Since: k.Since, Signs: k.Signs}
	if err := ownRows.Put(tx, DeskScope, key, r); err != nil {
		return err
	}
	if k.Secret == nil {
		return ownSecrets.Delete(tx, key)
	}
	return ownSecrets.Put(tx, ownScope(k.Number), key, ownSecret{k.Secret.Bytes()})
}

// readOwnKeys reads the state that a transaction sees.
func readOwnKeys(tx *store.Tx) (*ownSet, error) {
	var keys []OwnKey
	signing := 0
	for r, err := range ownRows.All(tx, nil) {
		if err != nil {
			return nil, err
		}
		k, err := readOwnKey(tx, r.Key, r.Value)
		if err != nil {
			return nil, err
		}
		if k.State == OwnSigning {
			signing++
		}
		keys = append(keys, k)
	}
	if signing == 0 {
		return nil, ErrNoOwnKey
	}
	if signing > 1 {
		return nil, fmt.Errorf("%d keys of ours sign, and one may", signing)
	}
	return newOwnSet(keys), nil
}

func readOwnKey(tx *store.Tx, key []byte, r ownRow) (k OwnKey, err error) {
	k = OwnKey{Number: numberOf(key), State: r.State, Since: r.Since, Signs: r.Signs}
	if r.State == OwnRetired {
		certs, err := keyring.ParseCertificates(r.Cert)
		if err != nil {
			return k, err
		}
		k.Certificate = certs[0]
		return k, nil
	}
	secret, err := ownSecrets.Get(tx, key)
	if err != nil {
		return k, err
	}
	if k.Secret, err = keyring.ParseSecret(secret.Secret); err != nil {
		return k, err
	}
	k.Certificate = k.Secret.Certificate()
	return k, nil
}

// moveFirstKeys brings the keys of a store from before states were kept into
// today's form.
func moveFirstKeys(tx *store.Tx) error {
	n := firstKeys.Count(tx, nil)
	moved := 0
	for r, err := range firstKeys.All(tx, nil) {
		if err != nil {
			return err
		}
		s, err := keyring.ParseSecret(r.Value.Secret)
		if err != nil {
			return err
		}
		k := OwnKey{State: OwnOld, Secret: s, Certificate: s.Certificate()}
		if moved++; moved == n {
			k.State = OwnSigning
		}
		if err := newOwnKey(tx, &k); err != nil {
			return err
		}
		if err := firstKeys.Delete(tx, r.Key); err != nil {
			return err
		}
	}
	return record(tx, journal.Record{Actor: ownActor, Kind: "own-key.moved", Detail: count(moved, "key")})
}

// cutShort lists keys whose secret is destroyed and whose row does not say so
// yet: a kill came in between.
func cutShort(tx *store.Tx) ([]uint64, error) {
	var out []uint64
	for r, err := range ownRows.All(tx, nil) {
		if err != nil {
			return nil, err
		}
		if r.Value.State != OwnRetired && !tx.HasScope(ownScope(numberOf(r.Key))) {
			out = append(out, numberOf(r.Key))
		}
	}
	return out, nil
}

func numberOf(key []byte) uint64 { return binary.BigEndian.Uint64(key) }

func endRetirements(tx *store.Tx, numbers []uint64) error {
	for _, n := range numbers {
		r, err := ownRows.Get(tx, store.Seq(n))
		if err != nil {
			return err
		}
		certs, err := keyring.ParseCertificates(r.Cert)
		if err != nil {
			return err
		}
		k := OwnKey{Number: n, State: OwnRetired, Certificate: certs[0], Since: tx.Now, Signs: r.Signs}
		if err := putOwnKey(tx, k); err != nil {
			return err
		}
	}
	return nil
}
