"""Clusters of both programs, in which a member lags so far that it is sent a snapshot by one of the
other kind: ours by etcd's leader, and etcd's by ours.

etcd keeps 5,000 entries behind its snapshots, so the first needs more of them; this server keeps
segments of its log, so the second needs a hundred mebibytes.
"""

import base64
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

READY = "ready to serve client requests"
SECONDS_MAX = 120


def free_port():
    """A port that nobody listens on right now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Member:
    """One process of a cluster."""

    def __init__(self, name, binary, folder):
        self.name = name
        self.binary = str(binary)
        self.data = folder / name
        self.client_port, peer_port = free_port(), free_port()
        self.client = f"http://127.0.0.1:{self.client_port}"
        self.peer = f"http://127.0.0.1:{peer_port}"
        self.log = []

    def start(self, cluster, state, *more):
        """Starts it; `cluster` is what --initial-cluster says."""
        command = [
            self.binary, f"--name={self.name}", f"--data-dir={self.data}",
            f"--listen-client-urls={self.client}", f"--advertise-client-urls={self.client}",
            f"--listen-peer-urls={self.peer}", f"--initial-advertise-peer-urls={self.peer}",
            f"--initial-cluster={cluster}", f"--initial-cluster-state={state}", *more,
        ]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stderr:
            self.log.append(line.decode(errors="replace"))

    def said(self, *texts):
        """Whether one line of its log has all of these."""
        return any(all(text in line for text in texts) for line in self.log)

    def wait(self, what, condition):
        """Polls; what fails is told with the log's end."""
        deadline = time.monotonic() + SECONDS_MAX
        while not condition():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(f"{self.name}: {what} didn't happen\n{''.join(self.log[-30:])}")
            time.sleep(0.05)

    def stop(self):
        """Ends it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def post(self, path, message, connection=None):
        """One call of the JSON gateway."""
        own = connection or http.client.HTTPConnection("127.0.0.1", self.client_port, timeout=30)
        own.request("POST", path, json.dumps(message), {"Content-Type": "application/json"})
        answer = json.loads(own.getresponse().read())
        if connection is None:
            own.close()
        return answer

    def put_many(self, count, value_bytes):
        """Puts `count` keys, one after the other."""
        connection = http.client.HTTPConnection("127.0.0.1", self.client_port, timeout=30)
        for number in range(count):
            value = f"{number}".rjust(value_bytes, "x")
            message = {"key": encoded(f"key{number % 997:04}"), "value": encoded(value)}
            self.post("/v3/kv/put", message, connection)
        connection.close()


def encoded(text):
    """Bytes as the gateway has them."""
    return base64.b64encode(text.encode()).decode()


def ctl(client, member, *arguments, stdin=""):
    """One etcdctl command, which must succeed."""
    command = [str(client.path), f"--endpoints={member.client}", "--command-timeout=50s",
               *arguments]
    done = subprocess.run(command, env={"ETCDCTL_API": "3"}, capture_output=True, text=True,
                          input=stdin, timeout=60, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr}")
    return done.stdout


class Cluster:
    """Members of one cluster, in a folder of their own."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="retcd-mixed-"))
        self.members = []

    def found(self, binary, count, *more):
        """Starts the founding members and waits until they serve."""
        founders = [Member(f"m{n}", binary, self.folder) for n in range(count)]
        cluster = self.initial_cluster(founders)
        for member in founders:
            self.members.append(member)
            member.start(cluster, "new", *more)
        for member in founders:
            member.wait("serving", lambda member=member: member.said(READY))

    def add(self, client, binary, *more):
        """Adds a member of another program, and waits until it serves."""
        member = Member(f"m{len(self.members)}", binary, self.folder)
        self.change(client, self.members[0], "add", member.name, f"--peer-urls={member.peer}")
        cluster = self.initial_cluster([*self.members, member])
        self.members.append(member)
        member.start(cluster, "existing", *more)
        member.wait("serving", lambda: member.said(READY))
        return member

    def change(self, client, asked, *arguments):
        """One change of the membership, asked of one member. A cluster refuses it until its last
        member has been connected for some seconds."""
        def done():
            try:
                ctl(client, asked, "member", *arguments)
            except RuntimeError as error:
                if "unhealthy cluster" in str(error):
                    return False
                raise
            return True
        asked.wait("a healthy cluster", done)

    @staticmethod
    def initial_cluster(members):
        """What --initial-cluster says."""
        return ",".join(f"{member.name}={member.peer}" for member in members)

    def stop(self):
        """Ends all of it."""
        for member in self.members:
            member.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def hashes(self, client):
        """Hash and revision of each member."""
        answers = [json.loads(ctl(client, member, "endpoint", "hashkv", "-w", "json"))[0]["HashKV"]
                   for member in self.members]
        return {(answer["hash"], answer["header"]["revision"]) for answer in answers}

    def wait_equal(self, client):
        """Waits until all members have the same content."""
        self.members[-1].wait("equal content", lambda: len(self.hashes(client)) == 1)


def ours_lags(client, original, server):
    """etcd's leader sends its database to a member of ours."""
    cluster = Cluster()
    try:
        cluster.found(original, 2, "--snapshot-count=100")
        first = cluster.members[0]
        lease = ctl(client, first, "lease", "grant", "5000").split()[1]
        ctl(client, first, "put", "leased", "x", f"--lease={lease}")
        first.put_many(5400, 100)
        ctl(client, first, "del", "key0005")
        ctl(client, first, "compaction", "3000", "--physical")
        ours = cluster.add(client, server)
        ours.wait("a snapshot", lambda: ours.said("applied snapshot"))
        ctl(client, ours, "put", "through", "ours")
        cluster.wait_equal(client)
        kept = ctl(client, ours, "lease", "timetolive", lease, "--keys")
        if "attached keys([leased])" not in kept:
            raise RuntimeError(f"the lease came as {kept}")
        ours.stop()
        ctl(client, first, "put", "meanwhile", "theirs")
        ours.log.clear()
        ours.start(Cluster.initial_cluster(cluster.members), "existing")
        ours.wait("serving again", lambda: ours.said(READY))
        cluster.wait_equal(client)
    finally:
        cluster.stop()


def theirs_lags(client, original, server):
    """Our leader sends etcd's database to members of etcd's."""
    cluster = Cluster()
    try:
        cluster.found(server, 1, "--max-wals=1", "--memtable-bytes=8388608")
        ours = cluster.members[0]
        lease = ctl(client, ours, "lease", "grant", "5000").split()[1]
        ctl(client, ours, "put", "leased", "x", f"--lease={lease}")
        for number in range(220):
            noise = base64.b64encode(os.urandom(700_000)).decode()
            ctl(client, ours, "put", f"large/{number % 20}", stdin=noise)
        ctl(client, ours, "del", "large/3")
        ctl(client, ours, "compaction", "150")
        log = ours.data / "member" / "wal"
        ours.wait("letting go of the log",
                  lambda: not list(log.glob("0000000000000000-*.wal")))
        theirs = cluster.add(client, original)
        theirs.wait("a snapshot", lambda: theirs.said("applied snapshot"))
        ctl(client, theirs, "put", "through", "theirs")
        cluster.wait_equal(client)
        # The older store that came along takes part in changes of the membership.
        third = cluster.add(client, original)
        third.wait("a snapshot", lambda: third.said("applied snapshot"))
        cluster.wait_equal(client)
        listed = json.loads(ctl(client, theirs, "member", "list", "-w", "json"))["members"]
        gone = next(member for member in listed if member["name"] == third.name)
        cluster.change(client, theirs, "remove", f"{gone['ID']:x}")
        cluster.members.remove(third)
        third.stop()
        ctl(client, theirs, "put", "after", "all")
        cluster.wait_equal(client)
    finally:
        cluster.stop()


def run(client, original, server, tally):
    """Both directions."""
    for name, scenario in (("ours lags behind etcd", ours_lags),
                           ("etcd lags behind ours", theirs_lags)):
        try:
            scenario(client, original, server)
            offences = []
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
            offences = [str(error)]
        tally.count(f"mixed cluster: {name}", offences)
