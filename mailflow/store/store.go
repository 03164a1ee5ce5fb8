// Package store keeps what Parley must not lose and must not show: ordered, sealed records over an embedded engine, bodies
// beside them, and a chained journal.
//
// Every value is sealed under the key of a Scope; the keys stand in one small file under a master key that a credential
// unwraps. An Update is durable when it returns. A View sees one snapshot. A Change tells subscribers, after the commit, what
// to look at again.
//
// Somebody who holds the disk without the credential sees how many rows of which kind there are, their sizes, which of them
// share a scope, and the plain numbers and instants used as keys.
package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"parley/mailflow/broken"
)

// Options say which store to open, and how.
type Options struct {
	Dir    string
	Unlock Unlock
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// NoSync leaves out every fsync of the engine. It exists so that the tests of durability have a control that fails; a store
	// opened so loses acknowledged updates when the machine stops.
	NoSync bool
	// ReadOnly opens it so that nothing on the disk changes: it is not brought up to date, compacted or cleared of what nothing
	// names, and Update fails. Several processes may, while none writes.
	ReadOnly bool
}

// A Store is safe for concurrent use.
type Store struct {
	dir    string
	now    func() time.Time
	engine engine
	vault  *keyVault // the leader's
	keys   atomic.Pointer[keySet]
	// settled are the keys of the last commit: none of them is taken back.
	settled atomic.Pointer[keySet]
	serial  atomic.Uint64
	bodies  atomic.Uint64 // the last body number given out
	shreds  atomic.Uint64 // how often keys were destroyed
	// vaulting is held by whoever puts the keys under another master key: one after the other.
	vaulting sync.Mutex

	queue       queue[*request]
	spool       spool
	subscribers subscribers
	held        held
	readOnly    bool
	setAside    string // see SetAside
	broken      chan struct{}
	breakOnce   sync.Once
	closed      atomic.Bool
}

// Create makes a new, empty store in a directory that does not exist or is empty of one. It returns when all of it is durable.
func Create(dir string, u Unlock) error {
	if err := create(dir, u, scryptCost); err != nil {
		return fmt.Errorf("create store %q: %w", dir, err)
	}
	return nil
}

func create(dir string, u Unlock, cost int) error {
	vault, err := newVault(filepath.Join(dir, keysName), u, cost)
	if err != nil {
		return err
	}
	keys, err := newKeySet(newKey(), newKey(), newKey())
	if err != nil {
		return err
	}
	if err := makeDir(dir); err != nil {
		return err
	}
	e, err := openBolt(filepath.Join(dir, dbName), boltMode{create: true})
	if err != nil {
		return err
	}
	s := &Store{dir: dir, engine: e, vault: vault}
	s.keys.Store(keys)
	if err := s.found(); err != nil {
		return errors.Join(err, e.close())
	}
	if err := e.close(); err != nil {
		return err
	}
	// The key file comes last: a store without it is refused, and nothing was ever in it.
	return vault.save(keys)
}

// Open opens a store for this process alone. It refuses a directory or file that others may read, a wrong credential
// (ErrUnlock) and a newer schema (ErrNewer); those, and what another process has open (ErrInUse), it leaves as they are. It brings
// an older schema up to date, having set a copy of the store aside, compacts a file that is mostly free, and removes blob files
// nothing names.
func Open(o Options) (*Store, error) {
	s, err := open(o, migrations)
	if err != nil {
		return nil, fmt.Errorf("open store %q: %w", o.Dir, err)
	}
	return s, nil
}

func open(o Options, m []migration) (*Store, error) {
	if err := checkDir(o.Dir); err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	// The engine's lock comes before the keys: nobody else rewrites them then.
	noSync := o.NoSync || broken.Is(broken.NoSync)
	e, err := openBolt(filepath.Join(o.Dir, dbName), boltMode{noSync: noSync, readOnly: o.ReadOnly})
	if err != nil {
		return nil, err
	}
	s := &Store{dir: o.Dir, now: o.Now, engine: e, readOnly: o.ReadOnly, broken: make(chan struct{})}
	s.spool.noSync = noSync
	s.queue, s.spool.queue = newQueue[*request](), newQueue[*entry]()
	if err := s.start(o.Unlock, m); err != nil {
		return nil, errors.Join(err, s.spool.close(), s.engine.close())
	}
	return s, nil
}

func (s *Store) start(u Unlock, m []migration) (err error) {
	if err := s.loadKeys(u, m); err != nil {
		return err
	}
	// Before a migration, which may change the form of what lies there.
	if err := s.openSpool(); err != nil {
		return err
	}
	if err := s.migrate(u, m); err != nil {
		return err
	}
	e, err := s.engine.compacted()
	if err != nil {
		return err
	}
	s.engine = e
	return s.View(func(tx *Tx) error {
		st, err := tx.load()
		if err != nil {
			return err
		}
		s.serial.Store(st.serial)
		s.bodies.Store(max(st.body, s.spool.newest))
		if err := tx.checkChainEnd(); err != nil {
			return err
		}
		if s.readOnly {
			return nil
		}
		return s.dropOrphans(tx)
	})
}

// loadKeys reads the schema before anything whose form it could change.
func (s *Store) loadKeys(u Unlock, m []migration) error {
	vault, plain, err := openVault(filepath.Join(s.dir, keysName), u)
	if err != nil {
		return err
	}
	defer clear(plain) // each key is copied to where it stays
	set, keys, err := parseKeys(plain)
	if err != nil {
		return fmt.Errorf("read key file: %w", err)
	}
	s.vault = vault
	s.keys.Store(set)
	err = s.View(func(tx *Tx) error {
		if err := tx.checkSchema(m); err != nil {
			return err
		}
		return tx.nameKeys(keys)
	})
	s.settled.Store(s.keys.Load())
	return err
}

// Close waits for what was taken and closes the files. What was appended and not absorbed the next Open absorbs. Readers should
// have ended.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.spool.queue.stop(ErrClosed)
	<-s.spool.queue.empty
	s.queue.stop(ErrClosed)
	<-s.queue.empty
	return errors.Join(s.spool.close(), s.engine.close())
}

// View runs fn on a snapshot. Nothing it reads is locked, but pages freed meanwhile stay in the file: it should neither take long
// nor write to a client. Inside, use the transaction's Bytes and not the store's, and do not call Update.
func (s *Store) View(fn func(*Tx) error) error {
	if s.isBroken() {
		// A snapshot taken now could show what never became durable.
		return ErrBroken
	}
	tx, err := s.beginView()
	if err != nil {
		return err
	}
	defer tx.rows.rollback()
	defer func() { tx.ended = true }()
	return fn(tx)
}

// beginView takes a snapshot with the keys that its rows are sealed under: where some were destroyed in between, another one.
func (s *Store) beginView() (*Tx, error) {
	for {
		before := s.shreds.Load()
		rows, err := s.engine.begin(false)
		if err != nil {
			return nil, err
		}
		tx := s.newTx(rows, s.now(), false)
		if s.shreds.Load() == before {
			return tx, nil
		}
		rows.rollback()
	}
}

// Serial is the number of the last commit.
func (s *Store) Serial() uint64 { return s.serial.Load() }

// Broken is closed when a write or fsync failed. The process should end then.
func (s *Store) Broken() <-chan struct{} { return s.broken }

func (s *Store) isBroken() bool {
	select {
	case <-s.broken:
		return true
	default:
		return false
	}
}

func (s *Store) breakDown() {
	s.breakOnce.Do(func() { close(s.broken) })
	s.queue.stop(ErrBroken)
	s.spool.queue.stop(ErrBroken)
}
