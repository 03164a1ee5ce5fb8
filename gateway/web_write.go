package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// manifest lists in the folder which of its files are ours to replace.
const manifest = ".parley-web"

const manifestHead = "# Written by parley web, which replaces these files and no others.\n"

// mayPublish refuses a folder where publishing would bare what is private, or
// where it is not read by a web server anyway.
func mayPublish(dir, config string, set *settings) error {
	private := map[string]string{"the configuration": config, "the store": set.StateDir, "the TLS key": set.KeyFile}
	if set.Unlock.kind == fromFile {
		private["the credential of the store"] = set.Unlock.value
	}
	for _, what := range slices.Sorted(maps.Keys(private)) {
		file, err := filepath.Abs(private[what])
		if err != nil {
			return err
		}
		if within(file, dir) {
			return fmt.Errorf("%s holds %s, and all of it would be public; name another folder", dir, what)
		}
	}
	if state, err := filepath.Abs(set.StateDir); err != nil || within(dir, state) {
		return errors.Join(err, fmt.Errorf("%s lies in the state directory; name another folder", dir))
	}
	return nil
}

// within reports whether a path is dir or lies below it, links followed.
func within(file, dir string) bool {
	rel, err := filepath.Rel(real(dir), real(file))
	return err == nil && (rel == "." || filepath.IsLocal(rel))
}

// real follows the links of what exists of a path.
func real(file string) string {
	if r, err := filepath.EvalSymlinks(file); err == nil {
		return r
	}
	if parent := filepath.Dir(file); parent != file {
		return filepath.Join(real(parent), filepath.Base(file))
	}
	return file
}

// folder is a document root that we write into and never out of.
type folder struct {
	*os.Root
	ours map[string]bool // from an earlier run
}

// writeSite writes files into a folder, each at once, and takes away what an
// earlier run wrote and this one does not. What is not ours stays; where it is in
// the way nothing is written. It says what was done.
func writeSite(dir string, files map[string][]byte) (string, error) {
	f, err := openFolder(dir)
	if err != nil {
		return "", fmt.Errorf("%w; nothing was written", err)
	}
	defer func() { _ = f.Close() }() // nothing is in flight
	paths := slices.Sorted(maps.Keys(files))
	if err := f.inTheWay(paths); err != nil {
		return "", fmt.Errorf("%s: %w; nothing was written", dir, err)
	}
	stale := slices.DeleteFunc(slices.Sorted(maps.Keys(f.ours)), func(p string) bool { _, ok := files[p]; return ok })
	if err := f.write(paths, stale, files); err != nil {
		return "", fmt.Errorf("write %s: %w; what is there may be of two runs: mend this and run it again", dir, err)
	}
	return fmt.Sprintf("wrote %s to %s\n", count(len(paths), "file"), dir), nil
}

// write notes first which files are going to be ours, so that another run can
// go on where this one was cut short.
func (f *folder) write(paths, stale []string, files map[string][]byte) error {
	if err := f.list(append(slices.Clone(paths), stale...)); err != nil {
		return err
	}
	for _, p := range paths {
		if err := f.put(p, files[p]); err != nil {
			return err
		}
	}
	for _, p := range stale {
		if err := f.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return f.list(paths)
}

// openFolder opens the folder, or makes it; the one around it has to exist.
func openFolder(dir string) (*folder, error) {
	switch err := os.Mkdir(dir, 0o755); {
	case err == nil:
		if err := os.Chmod(dir, 0o755); err != nil { // whatever the umask
			return nil, err
		}
	case !errors.Is(err, fs.ErrExist):
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	f := &folder{root, map[string]bool{}}
	text, err := root.ReadFile(manifest)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f, nil
	case err != nil || !bytes.HasPrefix(text, []byte(manifestHead)):
		return nil, errors.Join(cmp.Or(err, fmt.Errorf("%s is not a list that parley web wrote", filepath.Join(dir, manifest))), root.Close())
	}
	for line := range strings.Lines(strings.TrimPrefix(string(text), manifestHead)) {
		f.ours[strings.TrimSuffix(line, "\n")] = true
	}
	return f, nil
}

// inTheWay names what stands where we want to write and is not ours, links to
// elsewhere included.
func (f *folder) inTheWay(paths []string) error {
	found := map[string]bool{}
	for _, p := range paths {
		for at := p; at != "."; at = path.Dir(at) {
			info, err := f.Lstat(at)
			switch {
			case errors.Is(err, fs.ErrNotExist):
			case err != nil:
				return err
			case at == p && !(f.ours[p] && info.Mode().IsRegular()), at != p && !info.IsDir():
				found[at] = true
			}
		}
	}
	if len(found) > 0 {
		return fmt.Errorf("%s: not written by parley web; move it away, or name another folder", strings.Join(slices.Sorted(maps.Keys(found)), ", "))
	}
	return nil
}

func (f *folder) list(paths []string) error {
	slices.Sort(paths)
	return f.put(manifest, []byte(manifestHead+strings.Join(paths, "\n")+"\n"))
}

// put writes one file that everybody may read: whoever fetches it meanwhile gets
// the old one or the new one.
func (f *folder) put(name string, data []byte) error {
	if err := f.folders(path.Dir(name)); err != nil {
		return err
	}
	fresh := name + ".new"
	w, err := f.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	if err = errors.Join(err, w.Chmod(0o644), w.Sync(), w.Close()); err != nil {
		return errors.Join(err, f.Remove(fresh))
	}
	return f.Rename(fresh, name)
}

// folders makes a folder and those around it, each for everybody to read.
func (f *folder) folders(dir string) error {
	if dir == "." {
		return nil
	}
	if err := f.folders(path.Dir(dir)); err != nil {
		return err
	}
	err := f.Mkdir(dir, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return errors.Join(err, f.Chmod(dir, 0o755))
}
