"""Three members of one program, which look like one server to a session."""

import concurrent.futures
import json
import time
import urllib.request

from server import Server, derived_id, free_ports

SIZE = 3
AGREE_SECONDS_MAX = 30
HEADER_LINES = 4


class Member(Server):
    """One of them. Ports are chosen by the cluster, since all have to know them."""

    def __init__(self, binary, name, ports, cluster):
        self.name, self.ports, self.cluster = name, ports, cluster
        super().__init__(binary)

    def member_args(self):
        return [f"--name={self.name}", f"--initial-advertise-peer-urls=http://{self.peer}",
                f"--initial-cluster={self.cluster}"]

    def members(self):
        """The cluster as this member sees it."""
        with urllib.request.urlopen(f"http://{self.peer}/members", timeout=10) as answer:
            return json.loads(answer.read())


class Cluster:
    """Starts on construction. `client` is what a client is told: all members, or one of them."""

    def __init__(self, binary, extra_args=()):
        assert not extra_args, "clusters take no further arguments"
        self.binary = str(binary)
        ports = free_ports(2 * SIZE)
        names = [f"m{number + 1}" for number in range(SIZE)]
        cluster = ",".join(f"{name}=http://127.0.0.1:{port}"
                           for name, port in zip(names, ports[SIZE:]))
        with concurrent.futures.ThreadPoolExecutor(SIZE) as pool:
            starts = [pool.submit(Member, binary, name, pair, cluster)
                      for name, pair in zip(names, zip(ports, ports[SIZE:]))]
            self.members = [start.result() for start in starts]
        self.folder = self.members[0].folder
        self.talk_to(*range(SIZE))
        self._wait_until(lambda: all(len(self._names(member)) == SIZE for member in self.members))
        self.member_ids = {found["name"]: found["id"] for found in self.members[0].members()}

    @staticmethod
    def _names(member):
        return [found["name"] for found in member.members() if found.get("name")]

    @staticmethod
    def _wait_until(condition):
        deadline = time.monotonic() + AGREE_SECONDS_MAX
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError("the members don't agree")
            time.sleep(0.05)

    def talk_to(self, *numbers):
        """Which members clients are told of from now on."""
        self.client = ",".join(self.members[number].client for number in numbers)

    def remove(self, number):
        """Stops a member for good. Clients are told of it nevertheless."""
        self.members.pop(number).stop()

    def kill(self, number):
        """As `remove`, but nobody is told that it goes."""
        self.members.pop(number).kill()

    def id_of(self, number):
        """A member's id as clients write it."""
        return f"{self.member_ids[f'm{number + 1}']:x}"

    def addresses(self):
        """How addresses are masked."""
        pairs = enumerate(self.members, 1)
        return {address: name for number, member in pairs
                for address, name in ((member.client, f"<client{number}>"),
                                      (member.peer, f"<peer{number}>"))}

    def ids(self):
        """How ids are masked."""
        ids = sorted(self.member_ids.values())
        cluster = derived_id(b"".join(one.to_bytes(8, "big") for one in ids))
        return {one: f"<{name}>" for name, one in self.member_ids.items()} | {cluster: "<cluster>"}

    def wait_cluster_version(self):
        """As a server does."""
        self.members[0].wait_cluster_version()

    @property
    def process(self):
        """The first member's, to kill when a scenario breaks."""
        return self.members[0].process

    def stop(self):
        """Ends all of them."""
        with concurrent.futures.ThreadPoolExecutor(SIZE) as pool:
            for stopped in [pool.submit(member.stop) for member in self.members]:
                stopped.result()


def by_member(text):
    """Puts what is told of each member into the members' order: ids, which give the order
    elsewhere, differ from run to run. For masks of `ctl(…)`."""
    if text.startswith(("[", "{")) and text.count("\n") == 1:
        return json.dumps(_sorted(json.loads(text)), separators=(",", ":")) + "\n"
    if "\n\n" in text and not text.startswith("Member "):
        # A header of the whole answer stands before all of them.
        lines = text.splitlines(True)
        header = lines[:HEADER_LINES] if text.count('"ClusterID"') == 1 else []
        blocks = "".join(lines[len(header):]).split("\n\n")
        return "".join(header) + "\n\n".join(sorted(blocks, key=_member))
    return "".join(sorted(text.splitlines(True), key=_member))


def _member(text):
    """What stands for a member in a text: the first masked address, or nothing."""
    for number in range(1, SIZE + 1):
        if f"<client{number}>" in text or f"<peer{number}>" in text:
            return number
    return 0


def _sorted(value):
    if isinstance(value, list):
        return sorted((_sorted(item) for item in value),
                      key=lambda item: _member(json.dumps(item, ensure_ascii=False)))
    if isinstance(value, dict):
        return {key: _sorted(item) for key, item in value.items()}
    return value
