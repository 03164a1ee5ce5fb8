package keyring

// crcStart is the register of the armor checksum before the first octet.
// RFC 9580, section 6.1.1.
const crcStart = 0xb704ce

// crcTables hold, in row k, what an octet does to the register once k more
// octets have followed it, so that eight octets are taken at once: the library
// goes bit by bit, which takes longer than encrypting.
var crcTables = func() (t [8][256]uint32) {
	for i := range t[0] {
		crc := uint32(i) << 16
		for range 8 {
			if crc <<= 1; crc&0x1000000 != 0 {
				crc ^= 0x1864cfb
			}
		}
		t[0][i] = crc & 0xffffff
	}
	for k := 1; k < len(t); k++ {
		for i, crc := range t[k-1] {
			t[k][i] = crc<<8&0xffffff ^ t[0][crc>>16]
		}
	}
	return t
}()

// updateCRC puts p through the register crc.
func updateCRC(crc uint32, p []byte) uint32 {
	t := &crcTables
	for ; len(p) >= 8; p = p[8:] {
		crc = t[7][p[0]^byte(crc>>16)] ^ t[6][p[1]^byte(crc>>8)] ^ t[5][p[2]^byte(crc)] ^ t[4][p[3]] ^
			t[3][p[4]] ^ t[2][p[5]] ^ t[1][p[6]] ^ t[0][p[7]]
	}
	for _, b := range p {
		crc = crc<<8&0xffffff ^ t[0][byte(crc>>16)^b]
	}
	return crc
}

// crcOctets is the checksum as it stands in armor.
func crcOctets(crc uint32) []byte { return []byte{byte(crc >> 16), byte(crc >> 8), byte(crc)} }
