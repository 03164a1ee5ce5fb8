package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"parley/mailflow"
	"parley/mailflow/cvd"
	"parley/mailflow/message"
)

// Columns of a file of vendors that have a meaning beside an option of
// `vendor add` of the same name.
const (
	columnName      = "name"
	columnAddress   = "address"
	columnWave      = "wave"
	columnFootprint = "footprint"
	columnAffects   = "affects"
	columnKey       = "key file"
	columnMembers   = "members" // addresses, with blanks between
	columnProvedOn  = "proved on"
	columnRevoked   = "revoked" // the day on which it said itself that nothing goes to its address
)

// plainColumns are those of a file without a first line that names them,
// optionColumns are options of `vendor add`, and inviteColumns of `invite`, too.
var (
	plainColumns  = []string{columnName, columnAddress, columnWave, columnFootprint, columnKey}
	optionColumns = []string{"second", "zone", "channel", "lead", "form", "legacy-display", "file-names", "subject", "alias", "freeze", "proved", "senders", "their-ref", "kind", "language", columnRevoked}
	inviteColumns = []string{columnWave, columnAffects, columnFootprint}
	vendorColumns = slices.Concat(plainColumns, []string{columnAffects, columnMembers}, optionColumns, []string{columnProvedOn})
)

// vendorRow is one row of the file: what its columns hold, without the empty
// ones.
type vendorRow struct {
	line  int
	cells map[string]string
}

func (v vendorRow) name() string { return v.cells[columnName] }

// cellError says which cell of a file of vendors is wrong.
func cellError(line int, column string, why string) error {
	return fmt.Errorf("read vendors: line %d, column %s: %s; nothing was imported", line, column, why)
}

// readVendors reads the file. Its first line may name the columns.
func readVendors(data []byte) ([]vendorRow, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\uFEFF"))))
	r.FieldsPerRecord, r.TrimLeadingSpace, r.Comment = -1, true, '#'
	var rows []vendorRow
	columns, named := plainColumns, false
	seen := map[cvd.PartyID]int{}
	for first := true; ; first = false {
		f, err := r.Read()
		switch {
		case errors.Is(err, io.EOF):
			return rows, nil
		case err != nil:
			return nil, fmt.Errorf("read vendors: %w; nothing was imported", err)
		}
		line, _ := r.FieldPos(0)
		if first && strings.EqualFold(strings.TrimSpace(f[0]), columnName) {
			if columns, err = readColumns(line, f); err != nil {
				return nil, err
			}
			named = true
			continue
		}
		row, err := readVendor(line, f, columns, named)
		if err != nil {
			return nil, err
		}
		id, _ := cvd.ParsePartyID(row.name()) // as readVendor did; Acme and acme are one
		if before, twice := seen[id]; twice {
			return nil, cellError(line, columnName, fmt.Sprintf("%s stands on line %d already", row.name(), before))
		}
		seen[id] = line
		rows = append(rows, row)
	}
}

// readColumns reads the first line.
func readColumns(line int, fields []string) ([]string, error) {
	var columns []string
	for i, f := range fields {
		c := strings.ToLower(strings.TrimSpace(f))
		if !slices.Contains(vendorColumns, c) {
			return nil, cellError(line, strconv.Itoa(i+1), fmt.Sprintf("there is no column %q; the columns are %s", f, strings.Join(vendorColumns, ", ")))
		}
		if slices.Contains(columns, c) {
			return nil, cellError(line, strconv.Itoa(i+1), c+" stands there twice")
		}
		columns = append(columns, c)
	}
	if !slices.Contains(columns, columnAddress) {
		return nil, cellError(line, columnAddress, "it is missing")
	}
	return columns, nil
}

func readVendor(line int, fields, columns []string, named bool) (vendorRow, error) {
	row := vendorRow{line: line, cells: map[string]string{}}
	if len(fields) > len(columns) || !named && len(fields) < 2 {
		return row, fmt.Errorf("read vendors: line %d: it has %d fields; %s are wanted", line, len(fields), strings.Join(columns, ","))
	}
	for i, f := range fields {
		v := strings.TrimSpace(f)
		if v == "" {
			continue
		}
		if err := checkCell(columns[i], v); err != nil {
			return row, cellError(line, columns[i], err.Error())
		}
		row.cells[columns[i]] = v
	}
	for _, c := range []string{columnName, columnAddress} {
		if row.cells[c] == "" {
			return row, cellError(line, c, "it is empty")
		}
	}
	if row.cells[columnProvedOn] != "" && row.cells["proved"] == "" {
		return row, cellError(line, columnProvedOn, "the column proved beside it is empty")
	}
	return row, nil
}

// checkCell refuses what a cell cannot hold, whatever the directory has. What
// only the desk knows it says itself.
func checkCell(column, v string) (err error) {
	if strings.ContainsFunc(v, unicode.IsControl) { // a second line would be a second command
		return fmt.Errorf("%q holds a line break or another control character", v)
	}
	switch column {
	case columnName:
		_, err = cvd.ParsePartyID(v)
	case columnAddress, "second":
		err = oneAddress(v)
	case columnMembers:
		for _, a := range strings.Fields(v) {
			err = errors.Join(err, oneAddress(a))
		}
	case columnWave:
		if n, bad := strconv.Atoi(v); bad != nil || n < 1 || n > mailflow.MaxWave {
			err = fmt.Errorf("%q is not the number of a wave, 1 to %d", v, mailflow.MaxWave)
		}
	case columnFootprint:
		_, err = cvd.ParseFootprint(v)
	case "zone":
		_, err = cvd.ParseZone(v)
	case "lead":
		_, err = cvd.ParseDuration(v)
	case "senders":
		for _, a := range strings.Split(v, ",") {
			err = errors.Join(err, oneAddress(strings.TrimSpace(a)))
		}
	case "freeze":
		for _, f := range strings.Split(v, ",") {
			_, bad := cvd.ParseFreeze(f)
			err = errors.Join(err, bad)
		}
	case columnProvedOn, columnRevoked:
		if _, bad := time.Parse(time.DateOnly, v); bad != nil {
			err = fmt.Errorf("%q is not a day such as 2026-12-03", v)
		}
	}
	return err
}

func oneAddress(v string) error {
	list, err := message.ParseAddressList(v)
	if err != nil || len(list) != 1 || list[0].Domain == "" {
		return fmt.Errorf("%q is not one mail address such as psirt@vendor.example", v)
	}
	return nil
}

// vendorOrder is a line of the desk language with the row that it comes from,
// and the columns that it takes.
type vendorOrder struct {
	line    string
	row     vendorRow // line 0 where it comes from none
	columns []string
}

// vendorOrders are the commands that add the vendors, and invite them into a
// case where one is named.
func vendorOrders(rows []vendorRow, tag string) []vendorOrder {
	var out []vendorOrder
	for _, row := range rows {
		line, columns := "vendor add "+row.name()+" "+quote(row.cells[columnAddress]), []string{columnName, columnAddress}
		for _, c := range slices.Concat(optionColumns, inviteColumns) {
			if v := row.cells[c]; v != "" {
				line, columns = line+" "+c+" "+quote(v), append(columns, c)
			}
		}
		if v := row.cells[columnProvedOn]; v != "" {
			line, columns = line+" on "+v, append(columns, columnProvedOn)
		}
		out = append(out, vendorOrder{line, row, columns})
		for _, m := range strings.Fields(row.cells[columnMembers]) {
			out = append(out, vendorOrder{"member add " + row.name() + " " + quote(m), row, []string{columnMembers}})
		}
	}
	if tag == "" {
		return out
	}
	out = append(out, vendorOrder{line: "case " + quote(tag)})
	for _, row := range rows {
		line, columns := "invite "+row.name(), []string{columnName}
		for _, c := range inviteColumns {
			if v := row.cells[c]; v != "" {
				line, columns = line+" "+c+" "+quote(v), append(columns, c)
			}
		}
		out = append(out, vendorOrder{line, row, columns})
	}
	return out
}

// refusedRow says which cell the desk refused: the one whose text its sentence
// repeats, else the first that the command took.
func refusedRow(t mailflow.Transcript, orders []vendorOrder) error {
	for i, l := range t.Lines {
		if l.Outcome != mailflow.NotDone || strings.HasPrefix(l.Result, "taken back") || strings.HasPrefix(l.Result, "not tried") {
			continue
		}
		if i >= len(orders) || orders[i].row.line == 0 {
			break
		}
		o := orders[i]
		column := o.columns[0]
		for _, c := range slices.Backward(o.columns) {
			if strings.Contains(l.Result, o.row.cells[c]) {
				column = c
				break
			}
		}
		return cellError(o.row.line, column, l.Result)
	}
	return errNotDone
}
