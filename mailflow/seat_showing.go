package mailflow

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"parley/keyring"
	"parley/mailflow/store"
)

// View is what a login of a coordinator is shown (rule A4).
type View string

// The views of product.md section 4.
const (
	ClearView     View = "clear"     // decrypted
	HeadlinesView View = "headlines" // subjects and senders, no bodies
	SealedView    View = "sealed"    // all of it encrypted again to the coordinator's own key
)

// SeatFor says for whom a seat is: a coordinator, by one of its logins.
type SeatFor struct {
	Coordinator string
	Login       string // "ana/phone"
	View        View
}

// showing is how a seat serves what is filed, where that is not in clear.
type showing struct {
	SeatFor
	kind  store.FormKind       // of the forms that it serves
	lift  uint32               // what its UIDVALIDITY is above that of the clear view
	owner Coordinator          // SealedView: whose key it is
	key   *keyring.Certificate // SealedView: that all is encrypted to
}

// Forms of the headlines are the same for everybody. Those of the sealed views
// count on from there, one for each key of each coordinator.
const (
	headlineForms store.FormKind = 1
	sealedForms   store.FormKind = 2 // and above
)

// Each view has a UIDVALIDITY of its own for each mailbox: that of the mailbox,
// which follows the clock in seconds, and so much. It stays below 2^32 until 2089.
const (
	headlinesLift = 1 << 28
	sealedLift    = 1 << 29 // and one for each key that the coordinator had
)

// sealing is what is kept of the sealed view of a coordinator.
type sealing struct {
	Coordinator string
	Kind        store.FormKind   // of what is encrypted to the key
	Keys        uint32           // how many keys there were
	Hash        [32]byte         // of the certificate; zero once its owner left or has another
	Old         []store.FormKind // encrypted to former keys, to be dropped
}

var sealings = store.Versioned[sealing]("sealings")

// shows works out how a seat serves its view; nil for the clear one. A view that
// cannot be served is an error: there is no other in its place.
func (s *Seats) shows(tx *store.Tx, who SeatFor) (*showing, error) {
	switch who.View {
	case ClearView:
		return nil, nil
	case HeadlinesView:
		return &showing{SeatFor: who, kind: headlineForms, lift: headlinesLift}, nil
	case SealedView:
		c, err := CoordinatorByName(tx, who.Coordinator)
		if err != nil {
			return nil, err
		}
		cert, err := ownCertificate(c)
		if err != nil {
			return nil, err
		}
		row, err := sealingOf(tx, c)
		return &showing{SeatFor: who, kind: row.Kind, lift: sealedLift + row.Keys, owner: c, key: cert}, err
	}
	return nil, fmt.Errorf("view %q: there is none of that name", who.View)
}

// ownCertificate is the one OpenPGP certificate of a coordinator.
func ownCertificate(c Coordinator) (*keyring.Certificate, error) {
	certs := ownCertificates(c)
	if len(certs) != 1 {
		return nil, &Denied{fmt.Sprintf("%s has no OpenPGP key on file, so nothing can be encrypted for a sealed login", c.Name)}
	}
	return certs[0], nil
}

// sealingOf reads how a coordinator's view is sealed. With another key all of it
// is made anew.
func sealingOf(tx *store.Tx, c Coordinator) (sealing, error) {
	at := tx.Name("sealing", c.Name)
	row, err := sealings.Get(tx, at)
	hash := sha256.Sum256(c.Key)
	switch {
	case err == nil && row.Hash == hash:
		return row, nil
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return row, err
	case err == nil && row.Hash != [32]byte{}:
		row.Old = append(row.Old, row.Kind)
	}
	n, err := tx.Next("sealing")
	if err != nil {
		return row, err
	}
	row.Coordinator, row.Kind, row.Keys, row.Hash = c.Name, sealedForms+store.FormKind(n), row.Keys+1, hash
	tx.Changed(store.Change{Topic: topicReceipt})
	return row, sealings.Put(tx, DeskScope, at, row)
}

// CanSeal says why nothing can be encrypted to a coordinator's own key now, in a
// sentence, or nil: without such a key there is no sealed login.
func (b *Base) CanSeal(tx *store.Tx, c Coordinator) error {
	cert, err := ownCertificate(c)
	if err != nil {
		return err
	}
	if err := cert.CanEncrypt(tx.Now); err != nil {
		return &Denied{fmt.Sprintf("%s's own key cannot be encrypted to (%v), so nothing can be encrypted for a sealed login", c.Name, err)}
	}
	return nil
}
