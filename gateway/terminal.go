package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// asker asks for secrets at the terminal, without echo. Where standard input
// is no terminal it takes the next line of it.
type asker struct {
	in  *os.File
	out io.Writer
}

func (a asker) ask(prompt string) ([]byte, error) {
	fd := int(a.in.Fd())
	if !term.IsTerminal(fd) {
		line, err := bufio.NewReaderSize(io.LimitReader(a.in, maxCredential), 16).ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		return bytes.TrimRight(line, "\r\n"), nil
	}
	_, _ = fmt.Fprint(a.out, prompt) // if it cannot be seen, the answer cannot be right
	line, err := term.ReadPassword(fd)
	_, _ = fmt.Fprintln(a.out)
	return line, err
}

// unlock asks for the passphrase of the store.
func (a asker) unlock() ([]byte, error) { return a.ask("Passphrase of the store: ") }

// newUnlock asks for a new passphrase twice, if a person is there to mistype it.
func (a asker) newUnlock() ([]byte, error) {
	first, err := a.ask("New passphrase for the store: ")
	if err != nil || !term.IsTerminal(int(a.in.Fd())) {
		return first, err
	}
	second, err := a.ask("The same again: ")
	if err == nil && !bytes.Equal(first, second) {
		err = errors.New("the two passphrases differ")
	}
	return first, err
}
