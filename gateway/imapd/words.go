package imapd

import "bytes"

// In the library's own words nobody learns what did not happen and what to do.
// These are the answers that it gives for what clients send, with ours.
var rewordings = []struct{ theirs, ours string }{
	// Every number, flag or name that it cannot read is to the library a fault
	// of its own. A fault of ours is answered by session.answer, in other words.
	{" NO [SERVERBUG] Internal server error\r\n",
		" BAD [CLIENTBUG] A number, flag or folder name in this command cannot be read; nothing was done. " +
			"Names that are not ASCII are written in modified UTF-7, or in UTF-8 after ENABLE IMAP4rev2\r\n"},
	{" BAD Unknown command\r\n", " BAD Unknown command; nothing was done, and CAPABILITY lists what there is\r\n"},
	{" BAD [CLIENTBUG] Unknown FETCH data item\r\n", " BAD [CLIENTBUG] There is no such item to FETCH; nothing was read or marked\r\n"},
}

// tooBig begins what the library says of a message beyond the APPEND limit.
var tooBig = []byte(" NO [TOOBIG] Literals are limited to ")

// reworded gives one line that the library writes in words of ours. Lines come
// one by one, so what stands in a mail is never taken for one.
func reworded(line []byte) []byte {
	tag, _, ok := bytes.Cut(line, []byte{' '})
	if !ok || len(tag) > 64 || bytes.IndexByte(line, '\n') != len(line)-1 {
		return line
	}
	rest := line[len(tag):]
	if bytes.HasPrefix(rest, tooBig) {
		return []byte(string(tag) + " NO [TOOBIG] This is larger than a message may be here, which CAPABILITY says behind APPENDLIMIT; nothing was taken. " +
			"Send it in parts, or ask the operator\r\n")
	}
	for _, r := range rewordings {
		if string(rest) == r.theirs {
			return []byte(string(tag) + r.ours)
		}
	}
	return line
}
