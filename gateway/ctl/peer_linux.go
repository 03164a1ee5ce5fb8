package ctl

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// checkPeer lets our own user and root in (unix(7), SO_PEERCRED).
func checkPeer(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	switch {
	case err != nil:
		return err
	case failed != nil:
		return failed
	}
	return allowed(cred.Uid, uint32(os.Geteuid()))
}

func allowed(peer, own uint32) error {
	if peer != own && peer != 0 {
		return fmt.Errorf("uid %d is neither ours nor root", peer)
	}
	return nil
}
