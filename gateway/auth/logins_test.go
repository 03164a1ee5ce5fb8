package auth_test

import (
	"errors"
	"testing"

	"parley/gateway/auth"
	"parley/mailflow"
	"parley/mailflow/store"
)

func TestA6_LoginsChangeWithoutARestart(t *testing.T) {
	t.Parallel()
	d := newDesk(t, cheap)
	d.set("ana/phone", "ana", good)
	changes := d.Store.Subscribe(auth.Topic)
	defer changes.Close()
	ana, phone := d.try("ana", good, home, nil), d.try("ana/phone", good, home, nil)
	if !d.Current(ana) || !d.Current(phone) {
		t.Fatal("fresh logins are not current")
	}

	p, err := d.NewPassword("the new password")
	must(t, err)
	d.update(func(tx *store.Tx) error { return d.SetPassword(tx, "ana/phone", p) })
	if d.Current(phone) {
		t.Error("current with the old password")
	}
	d.try("ana/phone", good, home, auth.ErrDenied)
	phone = d.try("ana/phone", "the new password", home, nil)

	d.update(func(tx *store.Tx) error { return d.End(tx, "ana/phone") })
	if d.Current(phone) || !d.Current(ana) {
		t.Error("the wrong login ended")
	}
	d.try("ana/phone", "the new password", home, auth.ErrDenied)
	<-changes.C
	got := changes.Take()
	if len(got) != 2 || got[0].Kind != "set" || got[1].Kind != "ended" || got[1].Seat != "ana/phone" {
		t.Errorf("changes: %+v", got)
	}
}

func TestA6_AViewOrEndOfTheCoordinatorEndsSessions(t *testing.T) {
	t.Parallel()
	d := newDesk(t, cheap)
	ana, ben := d.try("ana", good, home, nil), d.try("ben", good, home, nil)
	p, err := d.NewPassword(good)
	must(t, err)
	d.update(func(tx *store.Tx) error {
		return errors.Join(d.Set(tx, "ana", "ana", auth.ViewSealed, p),
			mailflow.PutCoordinator(tx, mailflow.Coordinator{Name: "ben", Ended: d.now}))
	})
	if d.Current(ana) || d.Current(ben) {
		t.Error("still current")
	}
	if g := d.try("ana", good, home, nil); g.View != auth.ViewSealed {
		t.Errorf("view %q", g.View)
	}
	d.try("ben", good, home, auth.ErrDenied)
}

func TestA6_ListAndEndAll(t *testing.T) {
	t.Parallel()
	d := newDesk(t, cheap)
	d.set("ana/phone", "ana", good)
	d.set("ana/laptop", "ana", good)
	names := func() (all []string) {
		must(t, d.Store.View(func(tx *store.Tx) error {
			list, err := d.List(tx)
			for _, g := range list {
				all = append(all, g.Name)
			}
			return err
		}))
		return all
	}
	if got := names(); len(got) != 4 || got[0] != "ana" || got[1] != "ana/laptop" || got[2] != "ana/phone" || got[3] != "ben" {
		t.Errorf("logins: %q", got)
	}
	d.update(func(tx *store.Tx) error { return d.EndAll(tx, "ana") })
	if got := names(); len(got) != 1 || got[0] != "ben" {
		t.Errorf("logins left: %q", got)
	}
}

func TestSetRefuses(t *testing.T) {
	t.Parallel()
	d := newDesk(t, cheap)
	p, err := d.NewPassword(good)
	must(t, err)
	for _, c := range []struct {
		login, coordinator, view string
		want                     error
	}{
		{"ana", "ben", auth.ViewClear, auth.ErrName},
		{"anabel", "ana", auth.ViewClear, auth.ErrName},
		{"ana/", "ana", auth.ViewClear, auth.ErrName},
		{"ana/my phone", "ana", auth.ViewClear, auth.ErrName},
		{"ana/a/b", "ana", auth.ViewClear, auth.ErrName},
		{"", "", auth.ViewClear, auth.ErrName},
		{"ana", "ana", "all", auth.ErrView},
		{"ana", "ana", "", auth.ErrView},
		{"carl", "carl", auth.ViewClear, mailflow.ErrNoCoordinator},
	} {
		err := d.Store.Update(func(tx *store.Tx) error { return d.Set(tx, c.login, c.coordinator, c.view, p) })
		if !errors.Is(err, c.want) {
			t.Errorf("set %q of %q with view %q: %v, want %v", c.login, c.coordinator, c.view, err, c.want)
		}
	}
	err = d.Store.Update(func(tx *store.Tx) error { return d.End(tx, "carl") })
	if !errors.Is(err, auth.ErrNoLogin) {
		t.Errorf("end: %v", err)
	}
	err = d.Store.Update(func(tx *store.Tx) error { return d.SetPassword(tx, "carl", p) })
	if !errors.Is(err, auth.ErrNoLogin) {
		t.Errorf("set password: %v", err)
	}
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	d := newDesk(t, cheap)
	long := make([]byte, 1001)
	for i := range long {
		long[i] = 'a'
	}
	for _, bad := range []string{"", "seven 7", "tab\tin a password", "nul\x00in a password", "\xff\xfe\xfd not text", string(long)} {
		if _, err := d.NewPassword(bad); !errors.Is(err, auth.ErrPassword) {
			t.Errorf("password %.20q: %v", bad, err)
		}
	}
	// One keyboard composes, the other does not (RFC 8265 section 4.2).
	d.set("ana", "ana", "caf\u00e9 au lait")
	d.try("ana", "cafe\u0301 au lait", home, nil)
	a, err := d.NewPassword(good)
	must(t, err)
	b, err := d.NewPassword(good)
	must(t, err)
	if string(a.Salt) == string(b.Salt) || string(a.Hash) == string(b.Hash) {
		t.Error("two passwords share a salt")
	}
}
