package auth_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"parley/gateway/auth"
	"parley/mailflow"
	"parley/mailflow/store"
)

// cheap is a cost that tests can pay often; hashing still takes its memory,
// which is how tests see that a hash was made.
var cheap = auth.Cost{Memory: 4 << 10, Passes: 1, Lanes: 1}

const (
	good = "correct horse battery"
	home = "192.0.2.7"
	away = "198.51.100.9"
)

// desk is a store with the coordinators ana and ben, a login for each, and a
// clock that stands.
type desk struct {
	*auth.Logins
	t   testing.TB
	now time.Time
}

func newDesk(t testing.TB, cost auth.Cost) *desk {
	t.Helper()
	dir, key := filepath.Join(t.TempDir(), "store"), store.UnlockKey(bytes.Repeat([]byte{7}, 32))
	must(t, store.Create(dir, key))
	s, err := store.Open(store.Options{Dir: dir, Unlock: key, NoSync: true})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	d := &desk{t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	d.Logins = &auth.Logins{Store: s, DeskDomain: "desk.vdp.example.org", Cost: cost, Now: func() time.Time { return d.now }}
	d.update(func(tx *store.Tx) error {
		return errors.Join(tx.NewScope(mailflow.DeskScope),
			mailflow.PutCoordinator(tx, mailflow.Coordinator{Name: "ana"}),
			mailflow.PutCoordinator(tx, mailflow.Coordinator{Name: "ben"}))
	})
	d.set("ana", "ana", good)
	d.set("ben", "ben", good)
	return d
}

func (d *desk) update(fn func(*store.Tx) error) {
	d.t.Helper()
	must(d.t, d.Store.Update(fn))
}

func (d *desk) set(login, coordinator, password string) {
	d.t.Helper()
	p, err := d.NewPassword(password)
	must(d.t, err)
	d.update(func(tx *store.Tx) error { return d.Set(tx, login, coordinator, auth.ViewClear, p) })
}

// try logs in and must get the wanted error.
func (d *desk) try(login, password, from string, want error) auth.Login {
	d.t.Helper()
	g, err := d.Check(context.Background(), login, password, from)
	if !errors.Is(err, want) {
		d.t.Fatalf("login %q from %s: %v, want %v", login, from, err, want)
	}
	return g
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestA1_WhoComesIn(t *testing.T) {
	t.Parallel()
	d := newDesk(t, cheap)
	d.set("ana/phone", "ana", "another long one")
	for _, c := range []struct {
		login, password string
		want            error
		name            string
	}{
		{"ana", good, nil, "ana"},
		{"ANA", good, nil, "ana"},
		{"ana@desk.vdp.example.org", good, nil, "ana"},
		{"Ana@Desk.VDP.example.org", good, nil, "ana"},
		{"ana/phone", "another long one", nil, "ana/phone"},
		{"ana/phone@desk.vdp.example.org", "another long one", nil, "ana/phone"},
		{"ana/phone", good, auth.ErrDenied, ""},
		{"ana", "another long one", auth.ErrDenied, ""},
		{"ana", "", auth.ErrDenied, ""},
		{"ana", good + " ", auth.ErrDenied, ""},
		{"ana@vdp.example.org", good, auth.ErrDenied, ""},
		{"nobody", good, auth.ErrDenied, ""},
		{"", "", auth.ErrDenied, ""},
	} {
		g := d.try(c.login, c.password, home, c.want)
		if g.Name != c.name || (c.name != "" && (g.Coordinator != "ana" || g.View != auth.ViewClear)) {
			t.Errorf("login %q came in as %+v", c.login, g)
		}
	}
}

// Every try that is refused for its login or password made one hash: seen by
// the memory that argon2 takes.
func TestA1_UnknownLoginsCostTheSame(t *testing.T) {
	d := newDesk(t, cheap)
	d.update(func(tx *store.Tx) error {
		return mailflow.PutCoordinator(tx, mailflow.Coordinator{Name: "ben", Ended: d.now})
	})
	for _, c := range []struct{ what, login, password string }{
		{"wrong password", "ana", "not the right one"},
		{"unknown login", "nobody", "not the right one"},
		{"coordinator who left", "ben", good},
		{"no text", "ana", "with\x00nul and so on"},
		{"unknown, no text", "nobody", "with\x00nul and so on"},
	} {
		if n := hashes(func() { d.try(c.login, c.password, home, auth.ErrDenied) }); n != 1 {
			t.Errorf("%s: %d hashes", c.what, n)
		}
	}
}

// hashes counts the hashes of cost cheap that fn makes.
func hashes(fn func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc-before.TotalAlloc) / (int(cheap.Memory) << 10)
}

func TestA1_ThrottlePerLoginAndAddress(t *testing.T) {
	t.Parallel()
	d := newDesk(t, cheap)
	for range 10 {
		d.try("ana", "guess", home, auth.ErrDenied)
		d.now = d.now.Add(10 * time.Second)
	}
	d.try("ana", "guess", home, auth.ErrThrottled)
	d.try("ana", good, home, auth.ErrThrottled)
	d.try("ana@desk.vdp.example.org", good, home, auth.ErrThrottled)
	d.try("ana", good, away, nil) // the owner from elsewhere
	d.try("ben", good, home, nil) // another login from there
	d.now = d.now.Add(8*time.Minute + 19*time.Second)
	d.try("ana", good, home, auth.ErrThrottled)
	d.now = d.now.Add(time.Second) // the first failure is ten minutes old
	d.try("ana", good, home, nil)
}

// A password that is remembered from a login that worked must not answer
// guesses once the throttle closed.
func TestA1_ThrottleStandsBeforeMemory(t *testing.T) {
	t.Parallel()
	d := newDesk(t, cheap)
	d.try("ana", good, home, nil)
	for range 10 {
		d.try("ana", "guess", home, auth.ErrDenied)
	}
	d.try("ana", good, home, auth.ErrThrottled)
}

func TestA1_ThrottlePerAddress(t *testing.T) {
	t.Parallel()
	d := newDesk(t, cheap)
	for i := range 50 {
		d.try("name"+string(rune('a'+i)), "guess", home, auth.ErrDenied)
	}
	d.try("ben", good, home, auth.ErrThrottled)
	d.try("unknown", good, home, auth.ErrThrottled)
	d.try("ben", good, away, nil)
}

func TestA1_ThrottleCountsASubnet(t *testing.T) {
	t.Parallel()
	d := newDesk(t, cheap)
	for i := range 10 {
		d.try("ana", "guess", "2001:db8:1:2::"+string(rune('1'+i%9)), auth.ErrDenied)
	}
	d.try("ana", good, "2001:db8:1:2:ffff::1", auth.ErrThrottled)
	d.try("ana", good, "2001:db8:1:3::1", nil)
}

// Tries that come at once are counted as exactly as those that come one by one.
func TestA1_ThrottleIsExact(t *testing.T) {
	t.Parallel()
	d := newDesk(t, cheap)
	var mu sync.Mutex
	got := map[error]int{}
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			_, err := d.Check(context.Background(), "ana", "guess", home)
			mu.Lock()
			defer mu.Unlock()
			got[err]++
		})
	}
	wg.Wait()
	if got[auth.ErrDenied] != 10 || got[auth.ErrThrottled] != 20 {
		t.Errorf("answers: %v", got)
	}
}

// The connections of one mail client cost one hash, for a while and as long
// as the password stands.
func TestA1_MemoryOfPasswords(t *testing.T) {
	d := newDesk(t, cheap)
	in := func() { d.try("ana", good, home, nil) }
	if n := hashes(in); n != 1 {
		t.Errorf("first login: %d hashes", n)
	}
	if n := hashes(func() { in(); in(); in() }); n != 0 {
		t.Errorf("three more: %d hashes", n)
	}
	if n := hashes(func() { d.try("ana", "wrong one", home, auth.ErrDenied) }); n != 1 {
		t.Errorf("wrong password: %d hashes", n)
	}
	d.now = d.now.Add(5 * time.Minute)
	if n := hashes(in); n != 1 {
		t.Errorf("after five minutes: %d hashes", n)
	}
	d.set("ana", "ana", "the new password")
	d.try("ana", good, home, auth.ErrDenied)
}

// Twenty coordinators come in at once at the real cost.
func TestM8_TwentyLoginsAtOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.Cost{})
	p, err := d.NewPassword(good)
	must(t, err)
	d.update(func(tx *store.Tx) error {
		for i := range 20 {
			if err := d.Set(tx, "ana/"+string(rune('a'+i)), "ana", auth.ViewSealed, p); err != nil {
				return err
			}
		}
		return nil
	})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			login := "ana/" + string(rune('a'+i))
			if _, err := d.Check(context.Background(), login, good, "192.0.2."+string(rune('0'+i%10))); err != nil {
				t.Errorf("%s: %v", login, err)
			}
		})
	}
	wg.Wait()
}
