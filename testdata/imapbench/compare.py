#!/usr/bin/env python3
"""compare.py PEERS [-n MESSAGES] [-r ROUNDS] [-w DIR] [--bin PARLEY --fill FILL]

What a mail client asks of a large folder, asked of Parley and of Dovecot in one
run: the same mails, TLS on both, one after the other in every round. Printed
for each row are the time on the clock, the CPU time of the server's processes,
and the ratios of both. On a busy machine the ratio of CPU time is the one to
trust; what Parley does on all processors only shows on the clock.

PEERS is a folder with mkmaildir.py (fills a Maildir) and dovecot/start.sh
(starts Dovecot on loopback, TLS on port 21993, under PEER_DIR). It is no part
of this repository: without it, or without dovecot, nothing is measured.
Run it as root, which start.sh needs; make bench-imap builds what it starts.
"""
import argparse, glob, os, re, shutil, signal, socket, ssl, statistics, subprocess, sys, tempfile, time

PASSWORD = 'correcthorsebattery'
TICK = os.sysconf('SC_CLK_TCK')
HERE = os.path.dirname(os.path.abspath(__file__))

# name, command, how much slower than Dovecot it may be, once only
ROWS = [
    ('list view, first', 'UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)', 1 / 10, True),
    ('list view, again', 'UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)', 1 / 2, False),
    ('flags', 'UID FETCH 1:* FLAGS', 1, False),
    ('2,000 bodies', 'FETCH 1:2000 BODY.PEEK[]', 2, False),
    ('search text', 'UID SEARCH TEXT quagga', 1 / 10, False),
    ('structures, first', 'FETCH 1:* BODYSTRUCTURE', None, True),
    ('structures, again', 'FETCH 1:* BODYSTRUCTURE', None, False),
]


class Server:
    """One IMAP server: where it is, and the processes whose time counts."""
    def __init__(self, name, pid, port, login, password, mailbox):
        self.name, self.pid, self.port, self.login, self.password, self.mailbox = name, pid, port, login, password, mailbox

    def cpu(self):
        """Seconds of all its processes, those that ended included."""
        stats = {}
        for path in glob.glob('/proc/[0-9]*/stat'):
            try:
                with open(path) as f:
                    pid, rest = f.read().split(' ', 1)
            except OSError:
                continue
            fields = rest.rpartition(')')[2].split()
            stats[int(pid)] = int(fields[1]), sum(map(int, fields[11:15]))
        total, found = 0, [self.pid]
        while found:
            pid = found.pop()
            total += stats.get(pid, (0, 0))[1]
            found += [p for p, (parent, _) in stats.items() if parent == pid]
        return total / TICK

    def connect(self):
        return Client(self)


class Client:
    """Reads as fast as a client can: it counts octets and knows literals."""
    def __init__(self, server):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.sock = context.wrap_socket(socket.create_connection(('127.0.0.1', server.port), timeout=300))
        self.read, self.tags = self.sock.makefile('rb', 1 << 20), 0
        self.read.readline()
        self.ask('LOGIN "%s" "%s"' % (server.login, server.password))
        self.ask('EXAMINE "%s"' % server.mailbox)

    def ask(self, command):
        """Returns how many untagged responses there were, and for a search what was
        found. News of how far a long search got, as Dovecot tells, do not count."""
        self.tags += 1
        tag = b'a%d ' % self.tags
        self.sock.sendall(tag + command.encode() + b'\r\n')
        count, found = 0, b''
        while True:
            line = self.read.readline()
            if line.startswith(tag):
                if not line.startswith(tag + b'OK'):
                    raise RuntimeError('%s: %s' % (command, line.decode(errors='replace')))
                return count, found
            if not line:
                raise EOFError('%s: the server closed the connection' % command)
            if line.startswith(b'* OK'):
                continue
            count += 1
            if line.startswith(b'* SEARCH'):
                found = line
            while line.endswith(b'}\r\n') and (literal := re.search(rb'\{(\d+)\}\r\n$', line)):
                left = int(literal.group(1))
                while left:
                    left -= len(self.read.read(min(left, 1 << 20)))
                line = self.read.readline()

    def close(self):
        self.ask('LOGOUT')
        self.sock.close()


def measure(servers, rounds):
    """Yields each row: name, target, and (seconds, CPU seconds) by server."""
    clients = [s.connect() for s in servers]
    for name, command, target, once in ROWS:
        taken = {s.name: [] for s in servers}
        for _ in range(1 if once else rounds):
            counts = set()
            for s, c in zip(servers, clients):
                cpu, begun = s.cpu(), time.perf_counter()
                counts.add(c.ask(command))
                taken[s.name].append((time.perf_counter() - begun, s.cpu() - cpu))
            if len(counts) != 1:
                sys.exit('%s: the servers do not answer alike: %s' % (name, counts))
        yield name, target, {n: middle(t) for n, t in taken.items()}
    for c in clients:
        c.close()


def middle(taken):
    return statistics.median(t for t, _ in taken), statistics.mean(c for _, c in taken)


MBSYNC = '''FSync no

IMAPStore far
Host localhost
Port %d
User %s
Pass %s
SSLType IMAPS
CertificateFile %s
AuthMechs LOGIN

MaildirStore near
Path %s/
Inbox %s/INBOX

Channel c
Far :far:
Near :near:
Patterns "%s"
Create Near
Sync Pull
SyncState *
'''


def mbsync(servers, work, rounds):
    """The row of a mailbox that mbsync finds unchanged; None without mbsync."""
    if not shutil.which('mbsync'):
        print('mbsync is not installed: its row is left out')
        return None
    calls = []
    for s in servers:
        home = os.path.join(work, 'mbsync-' + s.name)
        os.makedirs(home)
        cert, rc = os.path.join(home, 'cert.pem'), os.path.join(home, 'rc')
        with open(cert, 'w') as f:
            f.write(ssl.get_server_certificate(('127.0.0.1', s.port)))
        with open(rc, 'w') as f:
            f.write(MBSYNC % (s.port, s.login, s.password, cert, home, home, s.mailbox))
        calls.append(['mbsync', '-q', '-c', rc, 'c'])
        subprocess.run(calls[-1], check=True)
    taken = {s.name: [] for s in servers}
    for _ in range(max(rounds, 3)):
        for s, call in zip(servers, calls):
            cpu, begun = s.cpu(), time.perf_counter()
            subprocess.run(call, check=True)
            taken[s.name].append((time.perf_counter() - begun, s.cpu() - cpu))
    return 'mbsync, no change', 2, {n: middle(t) for n, t in taken.items()}


def show(row):
    name, target, taken = row
    (ours, our_cpu), (theirs, their_cpu) = taken['parley'], taken['dovecot']
    verdict = '' if target is None else 'met' if ours <= target * theirs else 'MISSED'
    aim = '' if target is None else '%.1f' % target
    print('%-18s %9.1f %9.1f %7.3f %9.0f %9.0f %7.3f %7s %s' % (name, 1e3 * ours, 1e3 * theirs, ours / theirs,
          1e3 * our_cpu, 1e3 * their_cpu, our_cpu / max(their_cpu, 1 / TICK), aim, verdict), flush=True)


def memory(pid):
    """MB that the process holds, without the pages of the store's mapped file,
    which the kernel takes back when it needs them."""
    with open('/proc/%d/status' % pid) as f:
        return int(re.search(r'RssAnon:\s+(\d+) kB', f.read()).group(1)) / 1024


def make_parley(args, work, maildirs):
    """Makes a gateway, fills it and starts it."""
    gateway, config = os.path.join(work, 'gateway'), os.path.join(work, 'gateway', 'parley.toml')
    word = os.path.join(work, 'password')
    with open(word, 'w') as f:
        f.write(PASSWORD + '\n')
    run = lambda *call: subprocess.run(call, check=True, stdout=subprocess.DEVNULL)
    run(args.bin, 'init', gateway, '--domain', 'vdp.example.org')
    with open(config) as f:
        text = re.sub(r'(?m)^listen *=.*', 'listen = "127.0.0.1:0"', f.read())
    with open(config, 'w') as f:
        f.write(text)
    run(args.bin, 'coordinator', 'add', 'ana', '--config', config, '--password-file', word)
    for folder, maildir in maildirs:
        subprocess.run([args.fill, '-dir', gateway, '-maildir', maildir, '-folder', folder], check=True)
    serve = subprocess.Popen([args.bin, 'serve', '--config', config], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in serve.stdout:
        if ready := re.search(r'^ready .*\bimap=\S+:(\d+)', line):
            return serve, int(ready.group(1))
    sys.exit('parley did not start')


def start_dovecot(peers, work):
    """Dovecot with nothing remembered of the mails."""
    subprocess.run([os.path.join(peers, 'dovecot', 'start.sh')], check=True, env={**os.environ, 'PEER_DIR': work})
    pid = os.path.join(work, 'dovecot', 'run', 'master.pid')
    for _ in range(200):  # it goes into the background first
        if os.path.exists(pid) and os.path.getsize(pid):
            with open(pid) as f:
                return int(f.read())
        time.sleep(0.05)
    sys.exit('dovecot did not start')


def give_away(home):
    """start.sh lets Dovecot read mail as vm."""
    if subprocess.run(['id', 'vm'], capture_output=True).returncode:
        subprocess.run(['useradd', '-M', '-s', '/usr/sbin/nologin', 'vm'], check=True)
    subprocess.run(['chown', '-R', 'vm:vm', home], check=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('peers', help='folder with mkmaildir.py and dovecot/start.sh')
    p.add_argument('-n', type=int, default=100_000, help='messages in the large folder; a tenth of them in that of mbsync')
    p.add_argument('-r', type=int, default=5, help='rounds')
    p.add_argument('-w', help='scratch folder that is kept and used again, else a new one that is removed')
    p.add_argument('--bin', default='bin/parley')
    p.add_argument('--fill', default='bin/fill')
    args = p.parse_args()
    args.bin, args.fill = os.path.abspath(args.bin), os.path.abspath(args.fill)
    for need in ('mkmaildir.py', 'dovecot/start.sh'):
        if not os.path.exists(os.path.join(args.peers, need)):
            return print('skipped: there is no %s in %r; give the folder of the peers, PEERS=DIR' % (need, args.peers))
    if not shutil.which('dovecot'):
        return print('skipped: dovecot is not installed')
    if os.geteuid():
        return print('skipped: only root can let Dovecot read mail as another')
    work = args.w or tempfile.mkdtemp(prefix='parley-imap')
    try:
        compare(args, work)
    finally:
        if not args.w:
            shutil.rmtree(work, ignore_errors=True)


def compare(args, work):
    os.makedirs(work, exist_ok=True)
    os.chmod(work, 0o755)
    home = os.path.join(work, 'dovecot', 'home')
    maildirs = []
    for folder, who, n in (('Intake', 'm100k', args.n), ('INBOX', 'm10k', max(args.n // 10, 1))):
        maildir = os.path.join(home, who, 'maildir')
        if len(glob.glob(os.path.join(maildir, 'cur', '*'))) != n:
            shutil.rmtree(maildir, ignore_errors=True)
            subprocess.run([sys.executable, os.path.join(args.peers, 'mkmaildir.py'), maildir, str(n)], check=True)
        for left in glob.glob(os.path.join(maildir, 'dovecot*')):
            os.remove(left)
        maildirs.append((folder, maildir))
    give_away(home)
    shutil.rmtree(os.path.join(work, 'gateway'), ignore_errors=True)
    for left in glob.glob(os.path.join(work, 'mbsync-*')):
        shutil.rmtree(left)
    serve, port = make_parley(args, work, maildirs)
    master = None
    try:
        master = start_dovecot(args.peers, work)
        print('%d messages, %d rounds; milliseconds\n%-18s %9s %9s %7s %9s %9s %7s %7s' % (args.n, args.r, '', 'parley', 'dovecot',
              'ratio', 'CPU', 'CPU', 'ratio', 'target'))
        idle = memory(serve.pid)
        large = [Server('parley', serve.pid, port, 'ana', PASSWORD, 'Intake'), Server('dovecot', master, 21993, 'm100k', 'p', 'INBOX')]
        for row in measure(large, args.r):
            show(row)
        small = [Server('parley', serve.pid, port, 'ana', PASSWORD, 'INBOX'), Server('dovecot', master, 21993, 'm10k', 'p', 'INBOX')]
        if row := mbsync(small, work, args.r):
            show(row)
        print('memory of parley: %.0f MB before the first client, %.0f MB after the last' % (idle, memory(serve.pid)))
    finally:
        if master:
            os.kill(master, signal.SIGTERM)
        serve.terminate()
        serve.wait()


if __name__ == '__main__':
    main()
