"""Runs etcdctl against one server and records what each command answers."""

import os
import re
import shlex
import signal
import subprocess
import threading
import time

from masking import SNAPSHOT_SAVED, SNAPSHOT_STATUS, Masker
from server import ADVERTISED_PEER_URL, Server

COMMAND_SECONDS_MAX = 90


class Step:
    """One recorded command: how it was called, its masked output, its exit status."""

    def __init__(self, label, stdout, stderr, code):
        self.label = label
        self.stdout = stdout
        self.stderr = stderr
        self.code = code

    def lines(self):
        """Everything to compare, one line each, tagged with where it came from."""
        tagged = [("stdout", line) for line in self.stdout]
        tagged += [("stderr", line) for line in self.stderr]
        return tagged + [("exit", str(self.code))]


class Background:
    """An etcdctl that keeps running: a watch, a lock, an election."""

    def __init__(self, session, label, process):
        self.session = session
        self.label = label
        self.process = process
        self.output = {"stdout": b"", "stderr": b""}
        self.changed = threading.Condition()
        self.threads = [
            threading.Thread(target=self._read, args=(name,), daemon=True)
            for name in ("stdout", "stderr")
        ]
        for thread in self.threads:
            thread.start()

    def _read(self, name):
        stream = getattr(self.process, name)
        while chunk := os.read(stream.fileno(), 65536):
            with self.changed:
                self.output[name] += chunk
                self.changed.notify_all()

    def wait_lines(self, count, seconds=15):
        """Waits for lines on stdout; gives up silently, the comparison will tell."""
        with self.changed:
            self.changed.wait_for(lambda: self.output["stdout"].count(b"\n") >= count, seconds)

    def send(self, line):
        """Writes a line to its standard input."""
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def capture(self, pattern):
        """The first group of the pattern in what it has printed."""
        found = re.search(pattern, self.output["stdout"].decode(errors="replace"))
        return found.group(1) if found else "0"

    def wait(self, mask=()):
        """Waits until it ends by itself and records it."""
        try:
            self.process.wait(COMMAND_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._record(mask, None)

    def stop(self, mask=(), lines_max=None):
        """Interrupts it as a user would and records it."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._record(mask, lines_max)

    def _record(self, mask, lines_max):
        code = self.process.wait()
        for thread in self.threads:
            thread.join(5)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()
        self.session.record(self.label, self.output["stdout"], self.output["stderr"], code, mask,
                            lines_max)


class Session:
    """One client program against one server."""

    def __init__(self, client, server, original):
        self.client = client
        self.server = server
        self.original = original
        self.masker = Masker(server)
        self.steps = []

    def command(self, arguments):
        """The program and its arguments."""
        return [self.client.path, f"--endpoints={self.server.client}", *arguments]

    def environment(self):
        """The variables that programs are started with."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ETCD")}
        environment["ETCDCTL_API"] = "3"
        return environment

    def spawn(self, command, variables=()):
        """Starts a program with further variables."""
        return subprocess.Popen(
            command, env=self.environment() | dict(variables), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )

    def ctl(self, command, stdin="", mask=(), secret=False, label=None, quiet=False):
        """Runs a command line to its end and records it; the raw stdout is returned. `secret`
        leaves it out of the record, `quiet` what it says on standard error: a log."""
        arguments = shlex.split(command) if isinstance(command, str) else command
        return self.finish(self.spawn(self.command(arguments)), label or command, stdin, mask,
                           secret, quiet)

    def finish(self, process, label, stdin="", mask=(), secret=False, quiet=False):
        """Waits for a program that was started, as `ctl` does."""
        try:
            stdout, stderr = process.communicate(stdin.encode(), COMMAND_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            stdout, stderr = process.communicate()
            stderr += b"interop: killed after waiting too long\n"
        if not secret:
            said = b"" if quiet else stderr
            self.record(label, stdout, said, process.returncode, mask)
        self.last_code = process.returncode
        return stdout.decode(errors="replace")

    def txn(self, *lines, options="", mask=()):
        """A transaction from its input lines; the blocks that are left out are empty."""
        label = f"txn {options}".strip() + " <<< " + " | ".join(lines)
        return self.ctl(f"txn {options}", stdin="\n".join(lines) + "\n\n\n", mask=mask, label=label)

    def start(self, command, label=None):
        """Starts a command that keeps running."""
        arguments = shlex.split(command) if isinstance(command, str) else command
        return Background(self, label or command, self.spawn(self.command(arguments)))

    def start_watch(self, command):
        """Starts a watch and waits until the server has it."""
        before = self.server.metric("etcd_debugging_mvcc_watcher_total")
        watch = self.start(command)
        self.server.wait_metric("etcd_debugging_mvcc_watcher_total", before + 1)
        return watch

    def grant(self, seconds):
        """Grants a lease and returns its id in hex."""
        found = re.search(r"lease ([0-9a-f]+) granted", self.ctl(f"lease grant {seconds}"))
        return found.group(1) if found else "1"

    def wait_until(self, condition, seconds=30):
        """Polls a condition of the test's own."""
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.05)

    def hash_kv(self):
        """The hash of the current revision, which isn't recorded."""
        return self.ctl("endpoint hashkv", secret=True).rsplit(",", 1)[-1].strip()

    def utl(self, arguments, mask=()):
        """Runs the original's etcdutl on a file."""
        program = os.path.join(os.path.dirname(self.original), "etcdutl")
        done = subprocess.run([program, *arguments], capture_output=True,
                              timeout=COMMAND_SECONDS_MAX, check=False)
        label = " ".join(["etcdutl", *arguments]).replace(self.server.folder, "")
        self.record(label, done.stdout, b"", done.returncode, mask)

    def move_to_original(self):
        """Saves a snapshot, restores it with the original's etcdutl, and goes on with the original
        on what came out."""
        file, data = f"{self.server.folder}/snapshot", f"{self.server.folder}/restored"
        self.ctl(f"snapshot save {file}", mask=SNAPSHOT_SAVED, label="snapshot save", quiet=True)
        self.utl(["snapshot", "status", "-w", "json", file], SNAPSHOT_STATUS)
        self.utl(["snapshot", "restore", file, "--data-dir", data,
                  f"--initial-cluster=default={ADVERTISED_PEER_URL}",
                  f"--initial-advertise-peer-urls={ADVERTISED_PEER_URL}"])
        restored = Server(self.original, data=data)
        self.masker.add_server(restored)
        self.server.stop()
        self.server = restored

    def record(self, label, stdout, stderr, code, mask=(), lines_max=None):
        """Masks and keeps one command's answer."""
        out = self.masker.mask(stdout, mask)
        if lines_max is not None:
            out = out[:lines_max]
        self.steps.append(Step(label, out, self.masker.mask(stderr, mask), code))
