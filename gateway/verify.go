package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"parley/gateway/ctl"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

type verifyCommand struct {
	configFlag
	Head string `placeholder:"HASH" help:"A journal head that was noted earlier: it must be part of the chain, or the store was rolled back."`
}

func (c verifyCommand) Run(ctx context.Context, w world) error {
	return c.call(ctx, w, ctl.Request{Command: "verify", Flags: map[string]string{"head": c.Head}})
}

// verifyStore reads everything that is stored (rule T9).
func verifyStore(ctx context.Context, a *app, r ctl.Request) (string, error) {
	report, err := a.store.Verify(ctx)
	if err != nil {
		return "", fmt.Errorf("verify store: %w", err)
	}
	if head := r.Flags["head"]; head != "" {
		err := a.store.View(func(tx *store.Tx) error { return journal.Verify(tx, strings.ToLower(head)) })
		if err != nil {
			report.Problems = append(report.Problems, err.Error())
		}
	}
	var b strings.Builder
	for _, p := range report.Problems {
		fmt.Fprintf(&b, "problem: %s\n", p)
	}
	fmt.Fprintf(&b, "records %d\nshredded %d\nbodies %d\njournal %d\nhead %s\n",
		report.Records, report.Shredded, report.Bodies, report.Journal, report.Head)
	if n := len(report.Problems); n > 0 {
		return b.String(), fmt.Errorf("the store is damaged: %w", errors.New(count(n, "problem")))
	}
	return b.String() + "everything opens and the journal is whole\n", nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
