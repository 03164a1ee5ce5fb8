package mailflow

import (
	"context"
	"fmt"
	"testing"
	"time"

	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// BenchmarkViews is what the desk asks of a case with so many vendors, each of
// whom is told in stages that need a yes: time for each vendor stays the same.
func BenchmarkViews(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("parties=%d", n), func(b *testing.B) {
			f := newFanOut(b, n, 64)
			id := f.byPolicy(cvd.Shipped()["default"])
			for _, view := range []struct {
				name string
				do   func()
			}{
				{"plan", func() { f.types(id, "plan") }},
				{"status", func() { f.types(id, "status") }},
				{"dates", func() { f.types(id, "dates") }},
				{"reach", func() { f.types(id, "reach") }},
				{"casefile", func() {
					f.update(func(tx *store.Tx) error { f.moved(tx, id); return nil })
					f.settleDesk()
				}},
				{"asking", func() {
					f.update(func(tx *store.Tx) error {
						return f.putMaterial(tx, cvd.Material{Case: id, Stage: cvd.Scope, Author: "ana", Text: f.text + time.Now().String()})
					})
					f.settleDesk()
				}},
				{"preflight", func() { f.fly(id) }},
			} {
				b.Run(view.name, func(b *testing.B) {
					f.t, f.b = b, b
					before := processorTime()
					rounds := 0
					for b.Loop() {
						view.do()
						rounds++
					}
					b.ReportMetric(float64((processorTime()-before).Microseconds())/float64(rounds*n), "cpu-µs/party")
				})
			}
		})
	}
}

// byPolicy makes a case that goes by a policy, to everybody.
func (f *fanOut) byPolicy(p cvd.Policy) cvd.CaseID {
	f.t.Helper()
	id := f.due()
	f.update(func(tx *store.Tx) error {
		c, err := CaseByID(tx, id)
		if err != nil {
			return err
		}
		c.Policy = p
		if err := PutCase(tx, c); err != nil {
			return err
		}
		if err := f.putMaterial(tx, cvd.Material{Case: c.ID, Stage: cvd.Scope, Author: "ana", Text: f.text}); err != nil {
			return err
		}
		return f.replan(tx, id)
	})
	f.settleDesk()
	return id
}

func (f *fanOut) types(id cvd.CaseID, line string) {
	f.t.Helper()
	said, err := f.desk.Do(context.Background(), asOperator, []string{"case " + string(id), line})
	if err != nil || !said.Done() {
		f.t.Fatalf("%s: %v, %v", line, said, err)
	}
}

// fly tries every stage of the next two weeks as it will be on its day.
func (f *fanOut) fly(id cvd.CaseID) {
	f.t.Helper()
	f.update(func(tx *store.Tx) error {
		return aheadRows.Put(tx, caseScope(id), aheadKey(tx, id), aheadRow{Case: id})
	})
	tried, _, err := f.sched.preflight(id, f.clock.Now().Add(2*cvd.Day))
	if err != nil || len(tried) < len(f.parties) {
		f.t.Fatalf("%d stages were tried: %v", len(tried), err)
	}
}
