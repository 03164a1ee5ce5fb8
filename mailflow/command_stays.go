package mailflow

// stays says of each command that `undo` does not take back why that is, and what
// does the opposite. The line that answers such a command ends with it.
// TestUndo_EveryVerb wants every command to be here, or to be taken back.
var stays = map[string]string{
	"case policy":   "what was approved under the old policy is asked for anew; `case policy` names another",
	"case merge":    "the letters and addresses of the other case are this one's by now",
	"case title":    "its folders have the new name; `case title` gives another",
	"report":        "`reject N12` stops a letter that has not left, and `report N reopen` puts a report back into Intake",
	"vendor add":    "a party stays in the directory; `vendor edit` changes it, and nothing goes to it before `invite`",
	"vendor edit":   "keys and mails were looked at anew with it; `vendor edit` says what is right",
	"invite":        "`withdraw` takes a party out, `invite` changes what was said of it, and nothing of it leaves before the time to undo is over",
	"withdraw":      "its codes are dead; `invite` lets it take part again, at a new address",
	"member add":    "`member revoke` takes it away",
	"member revoke": "its codes are dead and its keys not used; `member add` and `key confirm`, both signed, add them again",
	"key find":      "it only looks, and what it finds is used once `key confirm` says so",
	"key confirm":   "what waited for the key may go; `key reject` ends its use, and `hold PARTY` stops what has not left",
	"key adopt":     "what waited for the key may go; `key reject` ends its use, and `hold PARTY` stops what has not left",
	"key reject":    "mails to it were taken back; `key confirm`, signed, puts it in force again",
	"introduce":     "`introduce` asks both again",
	"leak":          "what is public stays so; `hold all` stops what has not left",
	"record":        "what happened stays in the history; `record` files what is right",
	"claim":         "`unclaim` gives it back",
	"unclaim":       "`claim` takes it again",
	"done":          "the mail of a task is gone for everybody; what it was about is in its folder",
	"export case":   "the file stays where it was written",
	"undo":          "give the command again",
	"zone":          "`zone` says another",
	"delivery":      "what became of a mail is decided once; `plan` shows it",
}

// noUndo is the sentence about a command that did something that cannot be taken
// back. One that waits for an approval, or shows only what would happen, did nothing
// yet.
func (s *sitting) noUndo(c command) string {
	why, known := stays[c.words]
	if s.waits != "" || s.dry || c.list || !known || s.Settings.Undo <= 0 {
		return ""
	}
	return "it cannot be undone: " + why
}
