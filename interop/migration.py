"""Moving in and moving out: etcd's snapshot becomes a data directory of ours and the other way
round, and whatever a client can ask is answered as before.

Users and roles are made by the original and have to survive both moves; while this server has no
authentication it must refuse a state in which that is on.
"""

import json
import os
import pathlib
import subprocess

from server import ADVERTISED_PEER_URL, Server
from session import Session

# How many keys there are unless the caller says; each is written two or three times.
KEYS = 120
WRITES_AT_ONCE = 50
HASHED_REVISIONS = 12
RESTORE_SECONDS_MAX = 900
# What looks at all keys may take longer than a client waits otherwise.
PATIENT = "--command-timeout=80s"


class Mover:
    """Runs one of the two etcdutl programs."""

    def __init__(self, program):
        self.program = str(program)

    def run(self, *arguments):
        """Standard output, standard error and exit code."""
        done = subprocess.run([self.program, *arguments], capture_output=True, text=True,
                              timeout=RESTORE_SECONDS_MAX, check=False)
        return done.stdout, done.stderr, done.returncode

    def restore(self, snapshot, data, *more):
        """A data directory for a server of this harness."""
        return self.run("snapshot", "restore", str(snapshot), "--data-dir", str(data),
                        f"--initial-cluster=default={ADVERTISED_PEER_URL}",
                        f"--initial-advertise-peer-urls={ADVERTISED_PEER_URL}", *more)


def fill(session, keys):
    """A history with everything that has to be moved."""
    lease = session.grant(5000)
    session.ctl(f"put leased/1 x --lease={lease}")
    session.ctl(f"put leased/2 y --lease={lease}")
    session.grant(6000)
    for number in range(0, keys * 5 // 2, WRITES_AT_ONCE):
        puts = [f'put key/{n % keys:04} "value {n}"'
                for n in range(number, number + WRITES_AT_ONCE)]
        session.txn("", *puts)
        session.ctl(f"del key/{number % keys:04}")
    session.ctl(f"compaction 5 --physical {PATIENT}")
    session.ctl("put leased/2 z")
    session.ctl("put last 1")
    session.ctl("del last")
    for command in ("role add reader", "role grant-permission reader read key/ key0",
                    "user add alice:secret", "user grant-role alice reader",
                    "user add root:secret", "user grant-role root root"):
        session.ctl(command)


def seen(session):
    """What a client sees: pairs now and before, hashes, leases."""
    status = json.loads(session.ctl("endpoint status -w json"))[0]["Status"]
    revision = status["header"]["revision"]
    answers = {"revision": revision}
    for at in (0, revision - 3):
        pairs = json.loads(session.ctl(f"get \"\" --prefix --rev={at} -w json {PATIENT}"))
        answers[f"pairs at {at}"] = pairs["kvs"]
    for at in range(max(revision - HASHED_REVISIONS, 5), revision + 1):
        answers[f"hash of {at}"] = hash_at(session, at)
    listed = json.loads(session.ctl("lease list -w json"))["leases"]
    leases = sorted(lease["id"] for lease in listed)
    answers["leases"] = leases
    for lease in leases:
        told = json.loads(session.ctl(f"lease timetolive {lease:x} --keys -w json"))
        answers[f"lease {lease:x}"] = (told["granted-ttl"], told.get("keys"))
    compacted = session.ctl("get last --rev=2")
    answers["below the compacted revision"] = (compacted, session.last_code)
    return answers


def hash_at(session, revision):
    """The hash of a revision, as text."""
    told = session.ctl(f"endpoint hashkv --rev={revision} {PATIENT}")
    return told.rsplit(",", 1)[-1]


def differences(before, after):
    """What isn't the same, one line each."""
    names = sorted(before.keys() | after.keys())
    return [f"{name}: {str(before.get(name))[:200]} became {str(after.get(name))[:200]}"
            for name in names if before.get(name) != after.get(name)]


class Migration:
    """Both moves, and what is told on the way."""

    def __init__(self, client, original, server, options, tally):
        self.client = client
        self.keys = options.migration_keys
        self.original = original
        self.server = str(server)
        self.ours = Mover(options.etcdutl)
        self.theirs = Mover(os.path.join(os.path.dirname(original), "etcdutl"))
        self.tally = tally

    def check(self, name, offences):
        """Counts one check."""
        self.tally.count(f"migration: {name}", offences)

    def same_status(self, name, snapshot):
        """Both programs tell the same of a snapshot, in every form."""
        for form in ("simple", "json", "fields", "table", "protobuf", "xml"):
            told = [mover.run("snapshot", "status", str(snapshot), "-w", form)
                    for mover in (self.theirs, self.ours)]
            (theirs, _, their_code), (ours, _, our_code) = told
            same = theirs == ours and their_code == our_code
            self.check(f"status of {name} as {form}", [] if same else [str(told)])

    def saved(self, session):
        """A snapshot of what the session's server has."""
        file = pathlib.Path(session.server.folder) / "moved.db"
        session.ctl(f"snapshot save {file}")
        return file

    def session(self, server):
        """A client of a server."""
        return Session(self.client, server, self.original)

    def move(self, name, mover, session, binary):
        """Restores what a server saved, and starts another on that. Returns its session."""
        file = self.saved(session)
        self.same_status(name, file)
        data = file.with_name("restored")
        _, said, code = mover.restore(file, data)
        self.check(f"restore of {name}", [] if code == 0 else [said])
        return self.session(Server(binary, data=str(data)))

    def run(self):
        """Moves in, goes on, moves out, and moves in with authentication on."""
        theirs = self.session(Server(self.original))
        servers = [theirs.server]
        try:
            fill(theirs, self.keys)
            users = [theirs.ctl(command) for command in
                     ("user get alice", "role get reader", "user list")]
            before = seen(theirs)
            ours = self.move("etcd's snapshot", self.ours, theirs, self.server)
            servers.append(ours.server)
            self.check("moved in", differences(before, seen(ours)))
            for number in range(20):
                ours.ctl(f"put more/{number % 7} {number}")
            ours.ctl("del more/3")
            ours.ctl(f"compaction 9 --physical {PATIENT}")
            before = seen(ours)
            back = self.move("our snapshot", self.theirs, ours, self.original)
            servers.append(back.server)
            self.check("moved out", differences(before, seen(back)))
            after = [back.ctl(command) for command in
                     ("user get alice", "role get reader", "user list")]
            self.check("users and roles", [] if users == after else [f"{users} became {after}"])
            servers.remove(ours.server)
            self.back_up(ours.server, before)
            self.refuses_authentication(back)
        finally:
            for server in servers:
                server.stop()

    def back_up(self, server, before):
        """The data directory of a killed server becomes that of another one, which has the same."""
        server.halt()
        data, backup = f"{server.folder}/data", f"{server.folder}/backup"
        try:
            _, said, code = self.ours.run("backup", "--data-dir", data, "--backup-dir", backup)
            self.check("backup", [] if code == 0 else [said])
            copied = self.session(Server(self.server, data=backup))
            try:
                self.check("backed up", differences(before, seen(copied)))
            finally:
                copied.server.stop()
        finally:
            server.kill()

    def refuses_authentication(self, session):
        """A state in which authentication is on isn't served as if it were off."""
        session.ctl("auth enable")
        file = pathlib.Path(session.server.folder) / "closed.db"
        session.ctl(f"snapshot save {file} --user=root:secret")
        data = file.with_name("closed")
        _, said, code = self.ours.restore(file, data)
        warned = "authentication is on" in said
        self.check("restore with authentication on", [] if code == 0 and warned else [said])
        try:
            done = subprocess.run([self.server, f"--data-dir={data}"], capture_output=True,
                                  text=True, timeout=60, check=False)
            refused = "authentication is enabled in this state" in done.stderr
            offences = [] if refused and done.returncode else [done.stderr]
        except subprocess.TimeoutExpired:
            offences = ["the server serves it"]
        self.check("authentication that is on isn't ignored", offences)


def run(client, original, server, options, tally):
    """Runs all of it with one client."""
    Migration(client, original, server, options, tally).run()
