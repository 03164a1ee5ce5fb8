package ctl

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// pass sends an open file ahead of a request, with one blank, which JSON takes
// for nothing. Without a file it sends nothing.
func pass(conn net.Conn, f *os.File) error {
	if f == nil {
		return nil
	}
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return errors.New("no file goes over this connection")
	}
	if _, _, err := unix.WriteMsgUnix([]byte(" "), syscall.UnixRights(int(f.Fd())), nil); err != nil {
		return fmt.Errorf("pass the file: %w", err)
	}
	return nil
}

// take reads the beginning of a request, with the file that came along, if any.
func take(conn *net.UnixConn) (first []byte, f *os.File, err error) {
	first, rights := make([]byte, 4096), make([]byte, syscall.CmsgSpace(4))
	n, size, _, _, err := conn.ReadMsgUnix(first, rights)
	if err != nil {
		return nil, nil, err
	}
	messages, err := syscall.ParseSocketControlMessage(rights[:size])
	if err != nil {
		return nil, nil, err
	}
	for _, m := range messages {
		files, err := syscall.ParseUnixRights(&m)
		if err != nil {
			return nil, nil, err
		}
		for _, fd := range files {
			if f != nil {
				return nil, nil, errors.Join(errors.New("more than one file came along"), f.Close(), syscall.Close(fd))
			}
			f = os.NewFile(uintptr(fd), "output")
		}
	}
	return first[:n], f, nil
}
