package queue

import (
	"context"
	"testing"

	"parley/mailflow/mailtest"
)

// What signs a mail stands in front of it as it leaves, the same each time, and
// is counted in its size.
func TestT3_HeadLeavesWithTheBody(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const head = "DKIM-Signature: v=1; b=x\r\n"
	r.addAs(Item{To: testTo, Head: head})
	r.sink.Fail(mailtest.Dot, 451, 1)
	for range 2 {
		_, err := r.RunDue(context.Background(), r.clock.Now())
		must(t, err)
		r.clock.Advance(2 * r.Retry[0])
	}
	if all := r.sink.Mails(); len(all) != 1 || string(all[0].Raw) != head+string(testMail) {
		t.Errorf("%d mails left, and not as they were added", len(all))
	}
}
