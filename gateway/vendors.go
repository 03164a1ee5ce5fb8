package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"parley/gateway/ctl"
	"parley/mailflow"
	"parley/mailflow/cvd"
)

type vendorCommand struct {
	Import vendorImport `cmd:"" help:"Take vendors from a CSV file into the directory: name,address,wave,footprint,key file, or columns named by its first line."`
	Export vendorExport `cmd:"" help:"Write the directory, or the vendors of a case, as CSV on stdout, as import reads it."`
}

type vendorImport struct {
	configFlag
	File string `arg:"" help:"CSV: name,address,wave,footprint,key file, of which the last three may be empty; or a first line that names the columns, as export writes it. Key files are found from where this file lies."`
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
		if row.cells[columnKey] == "" {
			continue
		}
		path := row.cells[columnKey]
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(c.File), path)
		}
		if files["key "+row.name()], err = w.input(path); err != nil {
			return cellError(row.line, columnKey, err.Error())
		}
	}
	return c.call(ctx, w, ctl.Request{Command: "vendor import", Flags: map[string]string{"case": c.Case}, Files: files})
}

// importVendors adds all vendors of a file or none, then pins their keys,
// which are claimed.
func importVendors(ctx context.Context, a *app, r ctl.Request) (string, error) {
	rows, err := readVendors(r.Files["csv"])
	if err != nil {
		return "", err
	}
	for _, row := range rows {
		if key, ok := r.Files["key "+row.name()]; ok {
			if _, _, err := mailflow.ReadKeyFile(cvd.PartyID(row.name()), key, ""); err != nil {
				return "", fmt.Errorf("read vendors: line %d, column %s: %w", row.line, columnKey, err)
			}
		}
	}
	orders := vendorOrders(rows, r.Flags["case"])
	lines := make([]string, len(orders))
	for i, o := range orders {
		lines[i] = o.line
	}
	t, err := a.desk.Do(ctx, operator, lines)
	if err != nil {
		return "", err
	}
	if !t.Done() {
		return t.String(), refusedRow(t, orders)
	}
	return importVendorKeys(a, rows, r.Files)
}

// importVendorKeys pins the keys of vendors that are in the directory now.
func importVendorKeys(a *app, rows []vendorRow, files map[string][]byte) (string, error) {
	keys, said := 0, ""
	var errs []error
	for _, row := range rows {
		key, ok := files["key "+row.name()]
		if !ok {
			continue
		}
		got, err := a.desk.ImportKey(operator, cvd.PartyID(row.name()), key, "")
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("the vendors are added, but not the key of %s: %w", row.name(), err))
			continue
		case len(got.Said) > 0:
			said += importedLine(cvd.PartyID(row.name()), got)
		}
		keys++
	}
	return fmt.Sprintf("added %d vendors and the keys of %d\n", len(rows), keys) + said, errors.Join(errs...)
}
