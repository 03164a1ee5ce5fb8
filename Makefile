# Parley. `make` builds bin/parley; `make test` runs everything.

VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null)
STATICCHECK  = honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    ?= 20s
BENCH       ?= .
ARGS        ?=
N           ?= 10000
MESSAGES    ?= 100000
SEED        ?= 1
ROW         ?=

.PHONY: build test race bench bench-imap bench-accept peers fuzz walks faults gate gate-controls demo story thunderbird vet clean hostile canary soak

build:
	go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/parley ./gateway

test:
	go test -timeout 15m ./... ./testdata/faults

race:
	go test -race ./...

# PLANNED=1000000 measures a tick among as many planned notices; 100,000 without.
bench:
	go test -run '^$$' -bench '$(BENCH)' -benchmem -timeout 2h ./...

# Parley beside Dovecot in one run: what a mail client asks of a folder of so
# many MESSAGES. PEERS is a folder with what starts Dovecot and makes the mails; see
# testdata/imapbench/compare.py. For root.
bench-imap: build
	go build -o bin/fill ./testdata/fill
	python3 testdata/imapbench/compare.py -n $(MESSAGES) '$(PEERS)'

# Parley beside a Postfix that holds what it takes, in one run: how many mails of 4 kB,
# encrypted and, by smtp-source, in clear, each answers with 250 in a second, on
# connections that are kept and on new ones, and how long a lone session waits. PEERS is
# a folder with what starts Postfix; see testdata/acceptbench/main.go. For root. In the
# end Parley is killed while it takes mail; it fails only if mail that was answered with
# 250 is missing then.
ROUNDS ?= 5
MSGS   ?= 2000
bench-accept: build
	go build -o bin/acceptbench ./testdata/acceptbench
	bin/acceptbench -parley bin/parley -rounds $(ROUNDS) -mails $(MSGS) $(ARGS) '$(PEERS)'

# Every fuzz target of every package, one after the other. Inputs are not
# minimised: what a server covers differs from run to run, and it would never end.
# FUZZTIME=1000000x gives each a million executions: minutes on an idle core where
# only text is read, a quarter of an hour where each one is a session or opens keys.
#
# `go test -fuzz` counts what is covered in all that is linked. Looking through those
# counters takes longer than most executions here, and in crypto they make it many
# times as slow: so they stand in our code and in what reads formats for it.
COUNTED = parley/... github.com/emersion/... github.com/ProtonMail/... github.com/pelletier/... archive/tar net/mail mime
fuzz:
	@set -e; for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n 1 dirname | sort -u); do \
	  go test -c -vet=off $(COUNTED:%=-gcflags=%=-d=libfuzzer) -o bin/fuzz.test $$dir; \
	  for target in $$(bin/fuzz.test -test.list '^Fuzz'); do \
	    echo "$$dir $$target"; \
	    (cd $$dir && $(CURDIR)/bin/fuzz.test -test.run '^$$' -test.fuzz "^$$target\$$" -test.fuzztime $(FUZZTIME) \
	      -test.fuzzminimizetime 1x -test.fuzzcachedir "$$(go env GOCACHE)/fuzz/parley/$$dir"); \
	  done; \
	done

# Real peers on loopback: a Postfix in front (LMTP over TCP and a unix socket) and
# behind (smarthost with TLS and a login), openssl, swaks, smtp-source. For root, since
# Postfix wants it; what is absent is named and skipped.
peers:
	go test -count=1 -v -run '^TestPeers_' ./gateway

# Random walks of three mail clients against a model: N of them from SEED on,
# about ten minutes on two cores. `make test` walks a hundred.
walks:
	WALKS=$(N) WALK_SEED=$(SEED) go test -count=1 -timeout 2h -v -run '^TestWalks$$' ./gateway/imapd

# Breaks things under the real program, from outside: kill -9 under load and at every
# system call of an accept and of a send, failing fsyncs, full disks, crashes while a
# server misbehaves, power failures, clock jumps. It prints what it saw, and runs each
# part once more with a promise broken on purpose, which that part must find. N=20
# takes twenty times as many rounds. For root; `make test` runs a few rounds.
faults: N = 1
faults:
	FAULTS_N=$(N) go test -count=1 -timeout 24h -parallel 4 -v ./testdata/faults

# Random histories of a desk against an oracle of who may be told what, and of what
# two vendors may share: N of them from SEED on. `make test` lives forty.
# One takes about half a second of CPU.
# gate-controls leaves out each row of the gate in turn, and tells who notices:
# how many histories lived until one did, the story that does, or the test of the
# guard that stands behind it. ROW names rows, by a part, that histories are to try.
gate:
	GOGC=400 GATE_N=$(N) GATE_SEED=$(SEED) go test -count=1 -timeout 12h -v -run '^TestGate_Histories$$' ./mailflow

gate-controls:
	GOGC=400 GATE_CONTROLS=$(N) GATE_ROW='$(ROW)' go test -count=1 -timeout 12h -v -run '^(TestGate_Controls|TestGate_EveryRowIsNoticed|TestGuard_.*|TestAlone_.*)$$' ./mailflow

# Bombs on fifty connections at once, while an honest sender and two IMAP clients
# are served and two more idle: prints what they waited, and the most memory that the
# daemon took until all was filed.
# Then N bounces of one delivery, N forged mails, and N guesses at addresses, below the
# port and over it. Linux.
hostile: build
	go build -o bin/hostile ./testdata/hostile
	bin/hostile -parley bin/parley $(ARGS)
	HOSTILE=$(N) go test -count=1 -timeout 2h -v -run '^(TestM7_BounceStorm|TestM7_ForgedBouncesAndReplies|TestM2_GuessesTellNothing)$$' ./mailflow
	HOSTILE=$(N) go test -count=1 -timeout 2h -v -run '^TestM2_GuessesOverThePort$$' ./gateway

# On loopback, in a temporary directory; ARGS=--once ends after the story.
demo: build
	bin/parley demo $(ARGS)

# The disclosure of 2009: forty vendors in three waves, a leak on day 20, and an
# oracle that opens and judges every mail. It prints what each vendor reads, and
# the case file at the end.
story:
	go test -count=1 -v -run '^TestStory2009$$' ./gateway

# Secrets of every class go through the program, which is backed up, killed and
# crashed: none is found in what it leaves, in whatever form.
canary: build
	PARLEY='$(CURDIR)/bin/parley' go test -count=1 -v -run '^TestH4_NothingInClear$$|^TestH4_NoKeyInClear$$|^TestScanner_' ./gateway ./mailflow/store ./mailflow/mailtest/canary

# A desk at work for a while; it says whether memory and descriptors stay flat, and
# counts what was acknowledged. See testdata/soak/main.go.
MINUTES  ?= 20
RATE     ?= 20
SESSIONS ?= 20
soak: build
	go build -o bin/soak ./testdata/soak
	bin/soak -parley bin/parley -minutes $(MINUTES) -rate $(RATE) -sessions $(SESSIONS)

# A coordinator's first day in a real Thunderbird under Xvfb; the pictures are
# left in PICTURES.
PICTURES ?= /tmp/parley-thunderbird
thunderbird: build
	python3 testdata/clients/thunderbird.py bin/parley $(PICTURES)

vet:
	go vet ./... ./testdata/faults
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt these: $$unformatted"; exit 1; fi
	go run $(STATICCHECK) ./... ./testdata/faults

clean:
	rm -rf bin
	go clean -testcache
