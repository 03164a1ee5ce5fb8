// Command parley is a secure, email-native disclosure gateway: one daemon
// that speaks SMTP and IMAP, and the commands to set it up.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit codes (product.md section 7).
const (
	exitDone  = 0
	exitNot   = 1 // a sentence on stderr says what was not done
	exitUsage = 2
)

// version is set by the linker.
var version string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends at once
	code := run(ctx, os.Args[1:], world{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

// world is what a command reads from and writes to, files aside.
type world struct {
	in  *os.File
	out io.Writer
	err io.Writer
}

func (w world) asker() asker { return asker{w.in, w.err} }

// commandLine is what may stand on the command line.
type commandLine struct {
	Init        initCommand        `cmd:"" help:"Make a gateway in a new directory: configuration, store, keys."`
	Serve       serveCommand       `cmd:"" help:"Run the gateway."`
	Check       checkCommand       `cmd:"" help:"Say whether a configuration is sound."`
	Do          doCommand          `cmd:"" help:"Give commands of the desk language, all or nothing."`
	Coordinator coordinatorCommand `cmd:"" help:"The people of the desk and their logins."`
	Vendor      vendorCommand      `cmd:"" help:"The directory of vendors."`
	Key         keyCommand         `cmd:"" help:"OpenPGP keys: ours and those of parties."`
	DKIM        dkimCommand        `cmd:"" name:"dkim" help:"The keys that sign what leaves for our domain."`
	Web         webCommand         `cmd:"" help:"Write static files for a web server: how to report, our key, security.txt, settings for clients."`
	Backup      backupCommand      `cmd:"" help:"Write all of it into a file that only a key kept elsewhere opens, while it runs."`
	Restore     restoreCommand     `cmd:"" help:"Make a gateway of a backup; nothing leaves it before you say so."`
	Store       storeCommand       `cmd:"" help:"The keys that the store lies under."`
	Doctor      doctorCommand      `cmd:"" help:"Look at everything that the gateway rests on, and say what to do."`
	Verify      verifyCommand      `cmd:"" help:"Check the store and its journal."`
	Demo        demoCommand        `cmd:"" help:"Play a whole disclosure on loopback, 90 days in about a minute."`
	Version     versionCommand     `cmd:"" help:"Print the version."`
}

// exit unwinds to run where the parser wants to end the process.
type exit int

// run carries out one command line and gives the exit code.
func run(ctx context.Context, args []string, w world) (code int) {
	defer func() {
		if p := recover(); p != nil {
			e, ok := p.(exit)
			if !ok {
				panic(p)
			}
			code = int(e)
		}
	}()
	if err := harden(); err != nil {
		return fail(w, err)
	}
	var cli commandLine
	parser, err := kong.New(&cli, kong.Name("parley"), kong.Writers(w.out, w.err),
		kong.Description("Parley is a secure, email-native disclosure gateway."),
		kong.Exit(func(code int) { panic(exit(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}))
	if err != nil {
		return fail(w, err)
	}
	k, err := parser.Parse(args)
	if err != nil {
		_, _ = fmt.Fprintf(w.err, "parley: %v; see parley --help\n", err)
		return exitUsage
	}
	k.BindTo(ctx, (*context.Context)(nil))
	return fail(w, k.Run(w))
}

// codeError ends a command whose own output says everything.
type codeError int

func (e codeError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// fail prints an error as people read it, and gives its exit code.
func fail(w world, err error) int {
	var code codeError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &code):
		return int(code)
	}
	_, _ = fmt.Fprintf(w.err, "parley: %v\n", err)
	return exitNot
}

type versionCommand struct{}

func (versionCommand) Run(w world) error {
	_, err := fmt.Fprintf(w.out, "parley %s %s %s/%s\n", versionWord(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// versionWord is what the build was told, or what it found.
func versionWord() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
