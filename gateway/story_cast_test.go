package main

import (
	"fmt"
	"slices"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
)

// What a vendor is like, beside those who answer in time and go all the way.
const (
	plain    = ""
	silent   = "says nothing, and is told with the others"
	urgent   = "says nothing, and is told at once by two people's word"
	bouncing = "has an address that does not exist"
	expiring = "has a key that ends between two stages"
	unable   = "declines"
	hurried  = "proposes an earlier date"
	offline  = "is told by hand alone"
	ticketed = "has a ticket system: inline form, codes, automatic replies"
	curious  = "asks what concerns all"
	watchful = "sees the leak first"
)

// storyVendors are the vendors of each wave, the broadest first.
var storyVendors = [3][]string{
	{"alvento", "brimora", "cadrix", "doverin", "elkast", "fenwold", "gravix", "holmera", "istrava", "jorvane", "keldano", "lumbrek", "morvane", "nexford"},
	{"ostrela", "pravixa", "quillona", "ravenka", "solvane", "tarnwick", "ulverto", "vandrel", "wexmoor", "xandrel", "yorvick", "zelmira", "arkwell"},
	{"bastova", "corwell", "dunmere", "eskelund", "farnley", "gorvald", "hexwell", "ivarsund", "jaskell", "kirwold", "lorvane", "maskell", "norvane"},
}

// storyManners are those who are not plain.
var storyManners = map[string]string{
	"brimora": silent, "cadrix": urgent, "doverin": bouncing, "elkast": expiring, "fenwold": hurried, "gravix": offline,
	"holmera": ticketed, "istrava": curious, "keldano": watchful, "quillona": unable,
}

// latecomer is of the last wave, but has the broadest footprint of all.
const latecomer = "ivarsund"

// keyLife is how long the key lasts of the vendor that has one which ends: from a
// day before the start to between its scope and its details.
const keyLife = 3 * cvd.Day

// storyVendor is a robot that keeps all that it got, and what it did when: by
// that, and by nothing of the gateway, is judged what it may know.
type storyVendor struct {
	*robot
	story     *story
	wave      int
	footprint int
	mails     []storyMail // all that came, in order
	answered  int         // how many of them it has read for an answer

	accepted time.Time
	declined time.Time
	now      time.Time // when the desk said that it is to be told though it is late
	keys     []storyKey
	former   string // the fingerprint of the key that it had before
	commands int    // how many answers with a command it sent
}

// storyKey is a key while the desk vouches for it and it has not ended; the zero
// end is never.
type storyKey struct {
	id   uint64
	from time.Time
	to   time.Time
}

// words are what nobody but this vendor writes, in every letter of its own.
func (v *storyVendor) words() string { return "wordsof-" + v.party + "-4c81" }

// annex is what only this vendor is told.
func (v *storyVendor) annex() string { return "annexfor-" + v.party + "-9d27" }

// keyLife is how long its first key lasts; 0 is for ever.
func (v *storyVendor) keyLife() time.Duration {
	if v.is(expiring) {
		return keyLife
	}
	return 0
}

func (v *storyVendor) is(manner string) bool { return v.manner == manner }

// gathers makes the people and gives the desk its logins. Everybody's key is a
// day old.
func (s *story) gathers() {
	s.Helper()
	yesterday := func() time.Time { return s.time.Now().Add(-cvd.Day) }
	person := func(name, address string, life time.Duration) *mailtest.Person {
		p, err := mailtest.NewPersonFor(name, address, yesterday, life)
		s.must(err)
		p.Now = s.time.Now
		return p
	}
	s.cast.finder = person("Robin Finder", "robin@finder.example", 0)
	for _, c := range []struct {
		name string
		into **coordinator
	}{{"ana", &s.cast.ana}, {"ben", &s.cast.ben}, {"cyd", &s.cyd}} {
		var err error
		*c.into, err = s.coordinator(s.Context(), c.name)
		s.must(err)
	}
	for wave, names := range storyVendors {
		for i, name := range names {
			v := &storyVendor{story: s, wave: wave + 1, footprint: 900_000 - 200_000*wave - 1000*i}
			if name == latecomer {
				v.footprint = 2_000_000
			}
			v.robot = &robot{party: name, product: fmt.Sprintf("Kit%s %d", name, i+2), manner: storyManners[name], signs: i%2 == 0, demo: s.demo}
			v.Person = person(name, "psirt@"+name+".example", v.keyLife())
			s.vendors = append(s.vendors, v)
		}
	}
}

// who finds the vendor with a manner.
func (s *story) who(manner string) *storyVendor {
	s.Helper()
	i := slices.IndexFunc(s.vendors, func(v *storyVendor) bool { return v.is(manner) })
	if i < 0 {
		s.Fatalf("nobody %s", manner)
	}
	return s.vendors[i]
}

// takes says that the desk vouches for the vendor's key from now on.
func (v *storyVendor) takes(life time.Duration) {
	now := v.Now()
	for i := range v.keys {
		v.keys[i].to = now
	}
	key := storyKey{id: v.Entity.PrimaryKey.KeyId, from: now}
	if life > 0 {
		key.to = v.Entity.PrimaryKey.CreationTime.Add(life)
	}
	v.keys = append(v.keys, key)
}
