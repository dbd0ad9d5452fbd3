"""Our etcdctl beside the original's: both run each scenario against the same server program.

The scenarios of servers are used again, and those in `etcdctl_scenarios/` are added, which are
about the client itself: flags, environment, connections, terminals. Everything is compared but the
client library's warning before an error, which ours doesn't write.
"""

import concurrent.futures
import json
import re
import termios

import etcdctl_scenarios
from comparison import AllowList, compare_step
from pseudo_terminal import Terminal
from scenarios import all_scenarios, server_args
from server import Server
from session import Session

TERMINAL_SECONDS_MAX = 15

# Flags that came after the original: commands with them aren't run.
YOUNGER = ("--range", "--min-", "--max-")

# Lines of the client library's log that tell about retries, and ours that tells why there is no
# connection.
IS_RETRY = re.compile(r'^\{"level":"warn".*(retrying of unary invoker failed'
                      r"|no endpoint can be reached)")


class CtlSession(Session):
    """A session whose steps are compared with those of another client."""

    def ctl(self, command, *args, **kwargs):
        if any(flag in str(command) for flag in YOUNGER):
            return ""
        return super().ctl(command, *args, **kwargs)

    def bare(self, arguments, variables=(), stdin="", label=None, mask=()):
        """Runs the client without `--endpoints` and with further environment variables."""
        name = label or " ".join([f"{k}={v}" for k, v in dict(variables).items()] + arguments)
        process = self.spawn([self.client.path, *arguments], variables)
        return self.finish(process, name.replace(self.server.client, "<client>"), stdin, mask)

    def terminal(self, arguments, dialogue, label, mask=()):
        """Runs the client at a terminal. `dialogue` has pairs of what to wait for and what to type
        then; the terminal's whole text is recorded as standard output."""
        terminal = Terminal(self.command(arguments), self.environment(), TERMINAL_SECONDS_MAX)
        seen = 0
        for expected, typed in dialogue:
            terminal.read_until(expected.encode(), seen)
            seen = len(terminal.text)
            if expected.startswith("Password"):
                self.wait_until(lambda: not termios.tcgetattr(terminal.controller)[3]
                                & termios.ECHO, 5)
            terminal.type(typed)
        text, code = terminal.finish()
        text = without_retries(text.replace(b"\r\n", b"\n"))
        self.record(label, text, b"", code, mask)

    def record(self, label, stdout, stderr, code, mask=(), lines_max=None):
        lines = [log_line(line) for line in without_retries(stderr).splitlines(True)]
        super().record(label, stdout, b"".join(lines), code, mask, lines_max)


def without_retries(text):
    """Leaves out what the client library says before an error."""
    return b"".join(line for line in text.splitlines(True)
                    if not IS_RETRY.search(line.decode(errors="replace")))


def log_line(line):
    """A line of a log without where and when it was written."""
    if not line.startswith(b'{"level"'):
        return line
    fields = json.loads(line)
    for name in ("ts", "caller", "logger", "stacktrace"):
        fields.pop(name, None)
    return json.dumps(fields).encode() + b"\n"


def record(server, client, scenario, original):
    """Runs one scenario with one client on a fresh server; returns its steps."""
    kind = getattr(scenario, "server_kind", Server)
    session = CtlSession(client, kind(server, server_args(scenario)), original)
    try:
        scenario(session)
    finally:
        session.server.stop()
    return session.steps


def compare(title, scenario, server, clients, original, allow_list, tally):
    """Both clients at once, then the comparison."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(record, server, client, scenario, original) for client in clients]
        try:
            theirs, ours = (run.result() for run in runs)
        except (RuntimeError, OSError) as error:
            tally.count(title, [str(error)])
            return
    if len(theirs) != len(ours):
        tally.count(title, [f"ran {len(theirs)} commands there and {len(ours)} here"])
    for left, right in zip(theirs, ours):
        offences = compare_step("etcdctl", left, right, allow_list)
        tally.count(f"{title}: {left.label[:120]}", offences)


def run(clients, servers, only, tally):
    """`clients` are the original and ours, `servers` the original and, if there is one, ours."""
    allow_list = AllowList("etcdctl-differences.json", "etcdctl.md")
    original = servers[0]
    for kind, server in zip(("etcd", "ours"), servers):
        for name, scenario in all_scenarios() + etcdctl_scenarios.all_scenarios():
            title = f"etcdctl {name} at {kind}"
            if only in title and (kind == "etcd" or not getattr(scenario, "is_for_etcd", False)):
                compare(title, scenario, server, clients, original, allow_list, tally)
    for entry in allow_list.undocumented():
        tally.count(f"allowed difference {entry}", ["docs/etcdctl.md doesn't mention it"])
    if not only:
        for entry in allow_list.unmet():
            tally.count(f"allowed difference {entry}", ["no longer exists: remove it"])
