package smtpd_test

import "testing"

// M5: who comes reads nothing that one before left unread, though its buffer may be the
// same.
func TestM5_NothingIsLeftToTheNext(t *testing.T) {
	t.Parallel()
	f := &flow{}
	addr, _ := serve(t, config(f))
	for range 20 {
		dial(t, addr).talk(toRcpt + "R: QUIT\\r\\nDATA\\r\\nnobody's\\r\\n.\\r\\nNOOP\nS: 221 *\nS: EOF")
		dial(t, addr).talk(toData + "C: mine\nC: .\nS: 250 *\nC: QUIT\nS: 221 *\nS: EOF")
	}
	for _, m := range f.got() {
		if m.Text != "mine\r\n" {
			t.Errorf("%q is kept", m.Text)
		}
	}
	if n := len(f.got()); n != 20 {
		t.Errorf("%d mails are kept, want 20", n)
	}
}
