package main

import (
	"context"
	"encoding/csv"
	"strconv"
	"strings"
	"time"

	"parley/gateway/ctl"
	"parley/mailflow"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

type vendorExport struct {
	configFlag
	Case string `placeholder:"TAG" help:"Only the vendors of this case, with wave, footprint and what is affected."`
}

func (c vendorExport) Run(ctx context.Context, w world) error {
	return c.call(ctx, w, ctl.Request{Command: "vendor export", Flags: map[string]string{"case": c.Case}})
}

// exportVendors writes the directory, or the vendors of a case, as CSV that
// `vendor import` reads. Keys are not in it, nor who filed what, and when.
func exportVendors(_ context.Context, a *app, r ctl.Request) (string, error) {
	var b strings.Builder
	w := csv.NewWriter(&b)
	if err := w.Write(vendorColumns); err != nil {
		return "", err
	}
	err := a.desk.Store.View(func(tx *store.Tx) error {
		rows, err := exportedRows(tx, r.Flags["case"])
		for _, row := range rows {
			if err := w.Write(row); err != nil {
				return err
			}
		}
		return err
	})
	w.Flush()
	if err == nil {
		err = w.Error()
	}
	return b.String(), err
}

// exportedRows are the rows in the order of vendorColumns.
func exportedRows(tx *store.Tx, tag string) ([][]string, error) {
	all, err := mailflow.Parties(tx)
	if err != nil {
		return nil, err
	}
	within, err := vendorsOf(tx, tag)
	if err != nil {
		return nil, err
	}
	var rows [][]string
	for _, p := range all {
		who, takesPart := within[p.ID]
		if tag != "" && !takesPart {
			continue
		}
		cells := partyCells(p)
		if takesPart {
			cells[columnWave], cells[columnFootprint], cells[columnAffects] = strconv.Itoa(who.Wave), who.Footprint, who.Affects
		}
		row := make([]string, len(vendorColumns))
		for i, c := range vendorColumns {
			row[i] = cells[c]
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// vendorsOf are the vendors of a case; none where no tag is given.
func vendorsOf(tx *store.Tx, tag string) (map[cvd.PartyID]cvd.Participant, error) {
	if tag == "" {
		return nil, nil
	}
	id, err := cvd.ParseCaseID(tag)
	if err != nil {
		return nil, err
	}
	c, err := mailflow.CaseByID(tx, id)
	if err != nil {
		return nil, err
	}
	all, err := mailflow.Participants(tx, c.ID)
	out := map[cvd.PartyID]cvd.Participant{}
	for _, p := range all {
		if p.Has(cvd.RoleVendor) && p.Withdrawn == nil {
			out[p.Party] = p
		}
	}
	return out, err
}

// partyCells is what the directory has of a party, in the words that `vendor
// add` takes.
func partyCells(p cvd.Party) map[string]string {
	cells := map[string]string{columnName: string(p.ID), columnAddress: p.Address, "second": p.Second, "zone": p.Zone,
		"channel": string(p.Channel), "form": string(p.Manner.Form), "subject": p.Manner.Subject, "alias": strings.Join(p.Aliases, ", "), "senders": strings.Join(p.Senders, ", "),
		"kind": string(p.Kind), "language": p.Language}
	if p.Manner.RefOutside {
		cells["their-ref"] = "outer"
	}
	for name, on := range map[string]bool{"legacy-display": p.Manner.LegacyDisplay, "file-names": p.Manner.FileNames} {
		if on {
			cells[name] = "on"
		}
	}
	cells[columnFootprint], cells[columnAffects] = p.Usual.Footprint, p.Usual.Affects
	if p.Usual.Wave > 0 {
		cells[columnWave] = strconv.Itoa(p.Usual.Wave)
	}
	if p.Lead > 0 {
		cells["lead"] = cvd.FormatDuration(p.Lead)
	}
	if p.Revoked != nil {
		cells[columnRevoked] = p.Revoked.At.UTC().Format(time.DateOnly)
	}
	var members, freezes []string
	for _, m := range p.Members {
		members = append(members, m.Address)
	}
	for _, f := range p.Freezes {
		freezes = append(freezes, f.String())
	}
	cells[columnMembers], cells["freeze"] = strings.Join(members, " "), strings.Join(freezes, ", ")
	if p.Proved != nil {
		cells["proved"], cells[columnProvedOn] = p.Proved.Words, p.Proved.On.Format(time.DateOnly)
	}
	return cells
}
