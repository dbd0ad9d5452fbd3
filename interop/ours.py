"""Our programs where nothing can be compared: what long work shows on a terminal and what it leaves
when it is interrupted, completion in shells, manual pages.

Each check is a function `check_NAME` that gets a `Bench` and returns what is wrong, one line each.
"""

import base64
import concurrent.futures
import os
import pathlib
import random
import signal
import subprocess
import time

import completion
from pseudo_terminal import Terminal
from server import Server

SECONDS_MAX = 180
# A line of progress begins by going back to the beginning of the line, and ends by clearing it.
CLEAR = b"\r\x1b[K"
VALUE = "v" * (64 << 10)
VALUES = 400
# As many as a request has room for.
VALUES_AT_ONCE = 20
# From when on etcdutl shows how far it is.
ATTEMPTS_MAX = 5
SILENT_SECONDS = 2


class Bench:
    """The programs, a server with 25 MiB in it, and a folder."""

    def __init__(self, options):
        self.ctl, self.utl, self.man = options.etcdctl, options.etcdutl, options.man
        self.server = Server(options.server)
        self.folder = pathlib.Path(self.server.folder)
        self.fill(self.server, lambda: VALUE)

    def fill(self, server, value):
        """Puts as many keys as `VALUES` says, each with what `value` returns then."""
        for first in range(0, VALUES, VALUES_AT_ONCE):
            puts = [f'put big/{number:04} "{number:04}{value()}"\n'
                    for number in range(first, first + VALUES_AT_ONCE)]
            self.run([*self.client(server), "txn"], stdin="\n" + "".join(puts) + "\n\n")

    def client(self, server=None):
        """etcdctl for a server, or for the bench's own."""
        return [self.ctl, f"--endpoints={(server or self.server).client}"]

    @staticmethod
    def environment():
        """Without variables for etcd."""
        return {k: v for k, v in os.environ.items() if not k.startswith("ETCD")}

    def start(self, command):
        """A program whose output goes into pipes."""
        return subprocess.Popen(command, env=self.environment(), stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, command, stdin=""):
        """Exit code, standard output and standard error, as text."""
        process = self.start(command)
        out, err = process.communicate(stdin.encode(), SECONDS_MAX)
        return process.returncode, out.decode(), err.decode()

    def terminal(self, command):
        """A program at a terminal."""
        return Terminal(command, self.environment(), SECONDS_MAX)


def until(condition):
    """Waits for it; whether it came."""
    deadline = time.monotonic() + SECONDS_MAX
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.002)
    return condition()


def shown(name, text, words):
    """What is wrong with a terminal's text that must have shown progress, and cleared it."""
    line = text.rfind(CLEAR)
    if line < 0 or not any(word in text for word in words):
        return [f"{name} shows no progress at a terminal: {text[-300:]}"]
    if any(word in text[line:] for word in words):
        return [f"{name} leaves its progress on the terminal: {text[-300:]}"]
    return []


def hidden(name, *streams):
    """What is wrong with pipes, in which nothing of that may be."""
    return [f"{name} shows progress in a pipe: {text[-300:]}" for text in streams
            if "\r" in text or "\x1b" in text]


def check_progress_of_a_snapshot(bench):
    """It is shown from the first piece on."""
    save = [*bench.client(), "snapshot", "save", str(bench.folder / "progress.db")]
    text, code = bench.terminal(save).finish()
    piped = bench.run(save)
    offences = shown("snapshot save", text, [b"MB/s", b"kB/s", b"GB/s"])
    offences += hidden("snapshot save", *piped[1:])
    return offences + [f"snapshot save ends with {c}" for c in (code, piped[0]) if c]


def check_progress_of_a_mirror(bench):
    """The number of keys, until it is stopped."""
    other = Server(bench.server.binary)
    try:
        mirror = [*bench.client(), "make-mirror", other.client]
        terminal = bench.terminal(mirror)
        seen = terminal.read_until(f"{VALUES} keys copied".encode())
        terminal.process.send_signal(signal.SIGINT)
        terminal.finish()
        piped = bench.start(mirror)
        there = [bench.ctl, f"--endpoints={other.client}", "get", "again", "--print-value-only"]
        bench.run([*bench.client(), "put", "again", "x"])
        copied = until(lambda: bench.run(there)[1] == "x\n")
        piped.send_signal(signal.SIGINT)
        out, err = piped.communicate(timeout=SECONDS_MAX)
    finally:
        other.stop()
    offences = [] if seen else [f"make-mirror shows no progress: {terminal.text[-300:]}"]
    offences += [] if copied else ["make-mirror doesn't copy"]
    return offences + hidden("make-mirror", out.decode(), err.decode())


def check_datascale(bench):
    """Ten thousand keys come, are counted on the terminal, and go."""
    check = [*bench.client(), "check", "datascale", "--load=s", "--auto-compact"]
    text, code = bench.terminal(check).finish()
    offences = shown("check datascale", text, [b"of 10000 keys"])
    if code or b"PASS: Approximate system memory used" not in text:
        offences.append(f"check datascale ends with {code}: {text[-300:]}")
    left = bench.run([*bench.client(), "get", "--prefix", "/etcdctl-check-datascale/",
                      "--keys-only"])[1]
    return offences + ([f"check datascale leaves keys: {left[:100]}"] if left else [])


def check_perf(bench):
    """A minute of writing: its verdicts are the clock's, so only their shape counts."""
    other = Server(bench.server.binary)
    try:
        perf = [bench.ctl, f"--endpoints={other.client}", "check", "perf", "--load=s"]
        code, out, err = bench.run(perf)
        keys = bench.run([bench.ctl, f"--endpoints={other.client}", "get", "", "--prefix",
                          "--keys-only"])[1]
    finally:
        other.stop()
    lines = out.splitlines()
    verdict = lines[-1] if lines else ""
    offences = hidden("check perf", out, err)
    if len(lines) != 4 or (verdict, code) not in (("PASS", 0), ("FAIL", 1)):
        offences.append(f"check perf ends with {code}: {out[-300:]} {err[-300:]}")
    if not any("Throughput" in line for line in lines):
        offences.append(f"check perf says nothing of throughput: {out[-300:]}")
    return offences + ([f"check perf leaves keys: {keys[:100]}"] if keys else [])


def check_lost_election(bench):
    """Whoever is elected, or waits to be, ends with an error when no member has been heard of for
    as long as the lease lasts; etcd's own does so only once it is elected."""
    other = Server(bench.server.binary)
    elect = [bench.ctl, f"--endpoints={other.client}", "elect", "seat"]
    elected = bench.start([*elect, "first"])
    seats = [bench.ctl, f"--endpoints={other.client}", "get", "seat/", "--prefix", "--keys-only"]
    until(lambda: bench.run(seats)[1].count("seat/") == 1)
    waiting = bench.start([*elect, "second"])
    until(lambda: bench.run(seats)[1].count("seat/") == 2)
    other.kill()
    offences = []
    for name, process in (("elected", elected), ("waiting", waiting)):
        _, err = process.communicate(timeout=SECONDS_MAX)
        if process.returncode != 1 or b"Error: elect: session expired" not in err:
            offences.append(f"who is {name} ends with {process.returncode}: {err[-300:]}")
    return offences


def snapshot(bench):
    """A snapshot of the server, made once."""
    file = bench.folder / "whole.db"
    if not file.exists():
        bench.run([*bench.client(), "snapshot", "save", str(file)])
    return file


def bytes_read(process):
    """How much a program has read so far; all there is when it has ended."""
    try:
        counts = pathlib.Path(f"/proc/{process.pid}/io").read_text()
        return int(counts.split("rchar: ")[1].split()[0])
    except OSError:
        return VALUES * len(VALUE)


def hold_up(process):
    """Stops a program for longer than it works silently, once it has begun to read its input."""
    until(lambda: process.poll() is not None or bytes_read(process) > VALUES * len(VALUE) // 8)
    process.send_signal(signal.SIGSTOP)
    time.sleep(SILENT_SECONDS + 0.5)
    process.send_signal(signal.SIGCONT)


def long_work(bench, name, prepare, words):
    """What is wrong with work that shows how far it is from the third second on: it is held up
    until then. On a busy machine the program may be through before it is held up, so it is tried
    again. `prepare` returns the command, for a data directory that isn't there yet."""
    offences = []
    for attempt in range(ATTEMPTS_MAX):
        data = bench.folder / f"{name}-{attempt}"
        terminal = bench.terminal(prepare(data))
        hold_up(terminal.process)
        text, code = terminal.finish()
        if code or not (data / "member").exists():
            return [f"{name} ends with {code}: {text[-300:]}"]
        offences = shown(name, text, words)
        if not offences:
            break
    piped = bench.start(prepare(bench.folder / f"{name}-piped"))
    hold_up(piped)
    out, err = piped.communicate(timeout=SECONDS_MAX)
    if piped.returncode:
        offences.append(f"{name} in a pipe ends with {piped.returncode}: {err[-300:]}")
    return offences + hidden(name, out.decode(), err.decode())


def restore(bench, file, data):
    """The command that makes a data directory of a snapshot."""
    return [bench.utl, "snapshot", "restore", str(file), "--data-dir", str(data)]


def check_progress_of_a_restore(bench):
    """Of a snapshot whose values take room in it, however well they can be compressed."""
    file = snapshot(bench)
    return long_work(bench, "snapshot restore", lambda data: restore(bench, file, data),
                     [b"restoring: ", b"checking: "])


def check_progress_of_a_defragmentation(bench):
    """Of a directory that was restored, whose tables are merged once; each attempt gets one of its
    own. Its values can't be compressed, so that there is something to read."""
    other = Server(bench.server.binary)
    try:
        bench.fill(other, lambda: base64.b64encode(random.randbytes(len(VALUE) * 3 // 4)).decode())
        file = bench.folder / "random.db"
        bench.run([*bench.client(other), "snapshot", "save", str(file)])
    finally:
        other.stop()

    def prepare(data):
        bench.run(restore(bench, file, data))
        return [bench.utl, "defrag", "--data-dir", str(data)]

    return long_work(bench, "defrag", prepare, [b"defragmenting: "])


def check_interrupted_snapshot(bench):
    """Whatever has come by then, no file has the name, and the part is gone."""
    offences = []
    for number, sign in enumerate((signal.SIGINT, signal.SIGTERM)):
        folder = bench.folder / f"interrupted-{number}"
        folder.mkdir()
        process = bench.start([*bench.client(), "snapshot", "save", str(folder / "saved.db")])
        until(lambda: process.poll() is not None or any(folder.iterdir()))
        process.send_signal(sign)
        process.communicate(timeout=SECONDS_MAX)
        left = sorted(path.name for path in folder.iterdir())
        # It may have been complete by then.
        if left != (["saved.db"] if process.returncode == 0 else []):
            offences.append(f"{sign.name} ends snapshot save with {process.returncode}, "
                            f"and leaves {left}")
    return offences


def check_interrupted_restore(bench):
    """No member is there, and the next restore makes one."""
    offences = []
    for number, sign in enumerate((signal.SIGINT, signal.SIGTERM, signal.SIGKILL)):
        data = bench.folder / f"restored-{number}"
        command = restore(bench, snapshot(bench), data)
        process = bench.start(command)
        until(lambda: process.poll() is not None or (data / "member.part").exists())
        process.send_signal(sign)
        process.communicate(timeout=SECONDS_MAX)
        if process.returncode == 0:
            continue
        if (data / "member").exists():
            offences.append(f"{sign.name} during a restore leaves a member")
        code, _, err = bench.run(command)
        if code or not (data / "member").exists():
            offences.append(f"a restore behind {sign.name} ends with {code}: {err[-300:]}")
    return offences


def check_completion(bench):
    """In each shell, by each program."""
    shells = (completion.with_bash, completion.with_fish, completion.with_zsh)
    return [offence for complete in shells for program in (bench.ctl, bench.utl)
            for offence in complete(str(pathlib.Path(program).resolve()))]


def check_manual_pages(bench):
    """`man` shows every page, and complains about none."""
    pages = bench.folder / "man"
    code, _, said = bench.run([bench.man, str(pages)])
    if code:
        return [said]
    offences = []
    for page in sorted(pages.iterdir()):
        code, shown_text, said = bench.run(["man", "--warnings", "-l", str(page)])
        if code or said or page.stem not in shown_text:
            offences.append(f"man {page.name} ends with {code}: {said[:300]}")
    return offences


# What takes a minute each, most of it asleep.
SLOW = ("own perf", "own lost_election")
PAGES = "own manual_pages"


def run(options, tally):
    """Runs all checks whose name contains the given text, those that sleep beside the others; what
    takes a minute only with `--check-perf`, and manual pages only with the program for them."""
    checks = {f"own {name[len('check_'):]}": check for name, check in globals().items()
              if name.startswith("check_")}
    left_out = (() if options.check_perf else SLOW) + (() if options.man else (PAGES,))
    wanted = {name: check for name, check in checks.items()
              if options.only in name and name not in left_out}
    if not wanted:
        return
    bench = Bench(options)
    try:
        with concurrent.futures.ThreadPoolExecutor(len(SLOW)) as pool:
            slow = {name: pool.submit(wanted.pop(name), bench) for name in SLOW if name in wanted}
            for name, check in wanted.items():
                tally.count(name, check(bench))
            for name, ended in slow.items():
                tally.count(name, ended.result())
    finally:
        bench.server.stop()
