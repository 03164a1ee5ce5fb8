package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"parley/gateway/ctl"
	"parley/mailflow"
	"parley/mailflow/cvd"
)

type vendorCommand struct {
	Import vendorImport `cmd:"" help:"Take vendors from a CSV file into the directory: name,address,wave,footprint,key file."`
}

type vendorImport struct {
	configFlag
	File string `arg:"" help:"CSV: name,address,wave,footprint,key file. The last three may be empty; key files are found from where this file lies."`
	Case string `placeholder:"TAG" help:"Also invite each into this case, with its wave and footprint."`
}

func (c vendorImport) Run(ctx context.Context, w world) error {
	data, err := w.input(c.File)
	if err != nil {
		return fmt.Errorf("read vendors: %w", err)
	}
	rows, err := readVendors(data)
	if err != nil {
		return err
	}
	files := map[string][]byte{"csv": data}
	for _, row := range rows {
		if row.keyFile == "" {
			continue
		}
		path := row.keyFile
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(c.File), path)
		}
		if files["key "+row.name], err = w.input(path); err != nil {
			return fmt.Errorf("read key of %s: %w", row.name, err)
		}
	}
	return c.call(ctx, w, ctl.Request{Command: "vendor import", Flags: map[string]string{"case": c.Case}, Files: files})
}

// vendorRow is one line of the file.
type vendorRow struct {
	name, address, wave, footprint, keyFile string
}

// readVendors reads the file; a first line of column names is skipped.
func readVendors(data []byte) ([]vendorRow, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\uFEFF"))))
	r.FieldsPerRecord, r.TrimLeadingSpace, r.Comment = -1, true, '#'
	var rows []vendorRow
	for first := true; ; first = false {
		f, err := r.Read()
		switch {
		case errors.Is(err, io.EOF):
			return rows, nil
		case err != nil:
			return nil, fmt.Errorf("read vendors: %w", err)
		case first && strings.EqualFold(strings.TrimSpace(f[0]), "name"):
			continue
		}
		row, err := readVendor(f)
		if err != nil {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("read vendors: line %d: %w", line, err)
		}
		rows = append(rows, row)
	}
}

func readVendor(fields []string) (vendorRow, error) {
	var row vendorRow
	if len(fields) < 2 || len(fields) > 5 {
		return row, fmt.Errorf("it has %d fields; name,address,wave,footprint,key file are wanted", len(fields))
	}
	for i, to := range []*string{&row.name, &row.address, &row.wave, &row.footprint, &row.keyFile} {
		if i < len(fields) {
			*to = strings.TrimSpace(fields[i])
		}
	}
	if _, err := cvd.ParsePartyID(row.name); err != nil {
		return row, err
	}
	return row, nil
}

// invitation is the command that makes a participant of the vendor.
func (v vendorRow) invitation() string {
	line := "invite " + v.name
	if v.wave != "" {
		line += " wave " + quote(v.wave)
	}
	if v.footprint != "" {
		line += " footprint " + quote(v.footprint)
	}
	return line
}

// importVendors adds all vendors of a file or none, then pins their keys,
// which are claimed.
func importVendors(ctx context.Context, a *app, r ctl.Request) (string, error) {
	rows, err := readVendors(r.Files["csv"])
	if err != nil {
		return "", err
	}
	var lines []string
	for _, row := range rows {
		lines = append(lines, "vendor add "+row.name+" "+quote(row.address))
		if key, ok := r.Files["key "+row.name]; ok {
			if _, _, err := mailflow.ReadKeyFile(cvd.PartyID(row.name), key, ""); err != nil {
				return "", fmt.Errorf("read key of %s: %w", row.name, err)
			}
		}
	}
	if tag := r.Flags["case"]; tag != "" {
		lines = append(lines, "case "+quote(tag))
		for _, row := range rows {
			lines = append(lines, row.invitation())
		}
	}
	t, err := a.desk.Do(ctx, operator, lines)
	if err != nil {
		return "", err
	}
	if !t.Done() {
		return t.String(), errNotDone
	}
	return importVendorKeys(a, rows, r.Files)
}

// importVendorKeys pins the keys of vendors that are in the directory now.
func importVendorKeys(a *app, rows []vendorRow, files map[string][]byte) (string, error) {
	keys, said := 0, ""
	var errs []error
	for _, row := range rows {
		key, ok := files["key "+row.name]
		if !ok {
			continue
		}
		got, err := a.desk.ImportKey(operator, cvd.PartyID(row.name), key, "")
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("the vendors are added, but not the key of %s: %w", row.name, err))
			continue
		case len(got.Said) > 0:
			said += importedLine(cvd.PartyID(row.name), got)
		}
		keys++
	}
	return fmt.Sprintf("added %d vendors and the keys of %d\n", len(rows), keys) + said, errors.Join(errs...)
}
