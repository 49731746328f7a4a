package admin

import (
	"net"

	"golang.org/x/sys/unix"
)

// peerUID answers the user id of the process that connected (SO_PEERCRED,
// unix(7)).
func peerUID(conn net.Conn) int {
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return unknownUID
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return unknownUID
	}
	uid := unknownUID
	err = raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			uid = int(cred.Uid)
		}
	})
	if err != nil {
		return unknownUID
	}
	return uid
}
