"""A server process on a fresh data directory with ports of its own."""

import hashlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

# The ids of member and cluster are derived from it, so it is the same for every server; a lone
# member never calls it.
ADVERTISED_PEER_URL = "http://127.0.0.1:2380"
READY = "ready to serve client requests"
START_SECONDS_MAX = 60
PORT_ATTEMPTS_MAX = 5


def derived_id(data):
    """The id of a member or a cluster, which follows from what it is told at its start."""
    return int.from_bytes(hashlib.sha1(data).digest()[:8], "big")


MEMBER_ID = derived_id(ADVERTISED_PEER_URL.encode() + b"etcd-cluster")
CLUSTER_ID = derived_id(MEMBER_ID.to_bytes(8, "big"))


def free_ports(count):
    """Ports that nobody uses at this moment."""
    sockets = [socket.socket() for _ in range(count)]
    for sock in sockets:
        sock.bind(("127.0.0.1", 0))
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


class Server:
    """Starts on construction; `stop` ends it and removes its data. With `data`, that directory is
    taken over instead of beginning with an empty one."""

    scheme = "http"
    # For clients and for members; 0 stands for any.
    ports = (0, 0)

    def __init__(self, binary, extra_args=(), data=None):
        self.binary = str(binary)
        self.folder = tempfile.mkdtemp(prefix="retcd-interop-")
        if data:
            shutil.move(data, f"{self.folder}/data")
        for attempt in range(1, PORT_ATTEMPTS_MAX + 1):
            if self._start(extra_args):
                return
            log = "".join(self.log)
            self._end(signal.SIGKILL)
            if "address already in use" not in log.lower() or attempt == PORT_ATTEMPTS_MAX:
                shutil.rmtree(self.folder, ignore_errors=True)
                raise RuntimeError(f"{self.binary} doesn't serve; its log:\n{log}")

    def _start(self, extra_args):
        with socket.socket() as client, socket.socket() as peer:
            for sock, port in zip((client, peer), self.ports):
                sock.bind(("127.0.0.1", port))
            self.client = f"127.0.0.1:{client.getsockname()[1]}"
            self.peer = f"127.0.0.1:{peer.getsockname()[1]}"
        return self._launch(extra_args)

    def _launch(self, extra_args):
        self.extra_args = extra_args
        client_url = f"{self.scheme}://{self.client}"
        command = [
            self.binary,
            f"--data-dir={self.folder}/data",
            f"--listen-client-urls={client_url}",
            f"--advertise-client-urls={client_url}",
            f"--listen-peer-urls=http://{self.peer}",
            *self.member_args(),
            *extra_args,
        ]
        self.log = []
        self.serves = False
        self.ready = threading.Event()
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        self.reader = threading.Thread(target=self._read_log, daemon=True)
        self.reader.start()
        self.ready.wait(START_SECONDS_MAX)
        # A process that ends closes its log before it is seen to have ended.
        return self.serves

    def member_args(self):
        """Who it is."""
        return [f"--initial-advertise-peer-urls={ADVERTISED_PEER_URL}",
                f"--initial-cluster=default={ADVERTISED_PEER_URL}"]

    def addresses(self):
        """How addresses are masked."""
        return {self.client: "<client>", self.peer: "<peer>"}

    def ids(self):
        """How ids are masked."""
        return {MEMBER_ID: "<member>", CLUSTER_ID: "<cluster>"}

    def _read_log(self):
        for line in self.process.stderr:
            text = line.decode(errors="replace")
            self.log.append(text)
            if READY in text:
                self.serves = True
                self.ready.set()
        self.ready.set()

    def _end(self, sign):
        if self.process.poll() is None:
            self.process.send_signal(sign)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.reader.join(5)

    def restart(self):
        """Kills the process and starts it again, with the same data on the same ports."""
        self._end(signal.SIGKILL)
        if not self._launch(self.extra_args):
            raise RuntimeError(f"{self.binary} doesn't serve again\n{''.join(self.log[-40:])}")

    def halt(self):
        """Ends the process as a power failure would; its data stays."""
        self._end(signal.SIGKILL)

    def kill(self):
        """As `halt`, and removes its data."""
        self.halt()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self):
        """Ends the process; the exit status tells whether it had crashed before."""
        crashed = self.process.poll()
        self._end(signal.SIGTERM)
        shutil.rmtree(self.folder, ignore_errors=True)
        if crashed is not None:
            raise RuntimeError(f"{self.binary} ended: {crashed}\n{''.join(self.log[-40:])}")

    def http(self, path):
        """The body of a GET on the client port."""
        with urllib.request.urlopen(f"http://{self.client}{path}", timeout=10) as answer:
            return answer.read().decode()

    def wait_cluster_version(self, seconds=10):
        """Waits until the leader has decided it, which it does shortly after it serves."""
        deadline = time.monotonic() + seconds
        while "not_decided" in self.http("/version") and time.monotonic() < deadline:
            time.sleep(0.02)

    def metric(self, name):
        """The sum over the series of a metric, 0 when there is none."""
        total = 0.0
        for line in self.http("/metrics").splitlines():
            if line.startswith((name + " ", name + "{")):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def wait_metric(self, name, at_least, seconds=10):
        """Waits until a gauge reaches a value; gives up silently, the comparison will tell."""
        deadline = time.monotonic() + seconds
        while self.metric(name) < at_least and time.monotonic() < deadline:
            time.sleep(0.02)
