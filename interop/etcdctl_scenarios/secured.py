"""Users and passwords, and TLS."""

import shutil
import subprocess
import tempfile

from masking import SNAPSHOT_SAVED, STATUS_JSON, STATUS_SIMPLE
from server import Server
from session import Background


def scenario_users(s):
    for command in ("user add root:rpw", "user add alice:apw", "user add nopw --no-password",
                    "role add r1", "role grant-permission r1 readwrite a z",
                    "user grant-role root root", "user grant-role alice r1", "auth enable"):
        s.ctl(command, secret=True)
    s.ctl("get a")
    s.ctl("--user=alice:apw put a 1")
    s.ctl("--user=alice --password=apw get a -w fields")
    s.ctl("--user=alice:apw get zz")
    s.ctl("--user=alice:apw put zz 1")
    s.ctl("--user=alice:wrong get a")
    s.ctl("--user=nobody:x get a")
    s.ctl("--user=nopw:x get a")
    s.ctl("--user=alice: get a")
    s.ctl("--user=alice:apw watch zz")
    s.ctl("--user=alice:apw watch zz -w json")
    s.ctl("watch a", stdin="")
    s.ctl("--user=alice:apw txn", stdin="\nput a 2\nput zz 3\n\n\n", label="txn as alice")
    s.ctl("--user=alice:apw lease grant 100")
    s.ctl("lease list -w json")
    s.ctl("--user=root:rpw compaction 2")
    s.terminal(["--user=alice", "get", "a"], [("Password: ", "apw\n")], "alice types her password")
    s.terminal(["--user=alice", "get", "a"], [("Password: ", "no\n")], "alice types another one")


scenario_users.is_for_etcd = True


class TlsServer(Server):
    """A server that shows a certificate and asks for one. It is the same one, signed by itself."""

    scheme = "https"

    def __init__(self, binary, extra_args=()):
        self.tls_folder = tempfile.mkdtemp(prefix="retcd-interop-")
        self.certificate = f"{self.tls_folder}/cert.pem"
        self.key = f"{self.tls_folder}/key.pem"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2",
                   "-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=interop",
                   "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
                   "-addext", "basicConstraints=critical,CA:FALSE",
                   "-keyout", self.key, "-out", self.certificate]
        subprocess.run(command, check=True, capture_output=True)
        flags = [f"--cert-file={self.certificate}", f"--key-file={self.key}",
                 f"--trusted-ca-file={self.certificate}", "--client-cert-auth"]
        super().__init__(binary, [*extra_args, *flags])

    def stop(self):
        super().stop()
        shutil.rmtree(self.tls_folder, ignore_errors=True)


def scenario_tls(s):
    url, plain = f"https://{s.server.client}", s.server.client
    trust = f"--cacert={s.server.certificate}"
    identity = [f"--cert={s.server.certificate}", f"--key={s.server.key}"]
    skip = "--insecure-skip-tls-verify"

    def run(label, *flags, words=("put", "k", "v")):
        s.bare([*flags, "--command-timeout=1s", *words], label=label)

    run("a URL", f"--endpoints={url}", trust, *identity)
    run("no URL", f"--endpoints={plain}", trust, *identity)
    run("another name", f"--endpoints={url.replace('127.0.0.1', 'localhost')}", trust, *identity)
    run("several", f"--endpoints=https://127.0.0.1:1,{url}", trust, *identity, words=("get", "k"))
    run("no verification", f"--endpoints={plain}", "--insecure-transport=false", skip, *identity)
    run("no identity", f"--endpoints={url}", trust, words=("get", "k"))
    run("the system's authorities", f"--endpoints={url}", *identity)
    run("no TLS", f"--endpoints=http://{plain}", words=("get", "k"))
    run("no TLS although there is a certificate", f"--endpoints=http://{plain}", trust, *identity,
        words=("get", "k"))
    run("a key that isn't one", f"--endpoints={url}", trust, identity[0], "--key=/dev/null")


scenario_tls.is_for_etcd = True
scenario_tls.server_kind = TlsServer


def scenario_tls_administration(s):
    """Commands that make connections of their own: to members one by one, and to a destination."""
    url, certificate, key = f"https://{s.server.client}", s.server.certificate, s.server.key
    flags = [f"--endpoints={url}", f"--cacert={certificate}", f"--cert={certificate}",
             f"--key={key}"]

    def run(*words, label=None, mask=()):
        s.bare([*flags, *words], label=label or " ".join(words), mask=mask)

    run("put", "from/1", "x")
    for words in (("endpoint", "health"), ("endpoint", "hashkv"), ("defrag",)):
        run(*words)
        run(*words, "--cluster")
    for form, mask in (("simple", STATUS_SIMPLE), ("json", STATUS_JSON)):
        run("endpoint", "status", "--cluster", "-w", form, mask=mask)
    run("member", "list")
    run("move-leader", "1")
    run("lock", "l", "echo", "held")
    file = f"{s.server.folder}/file"
    s.finish(s.spawn([s.client.path, *flags, "snapshot", "save", file]), "snapshot save",
             mask=SNAPSHOT_SAVED, quiet=True)
    secured = [f"--dest-cacert={certificate}", f"--dest-cert={certificate}", f"--dest-key={key}"]
    words = ["make-mirror", "--prefix=from/", "--dest-prefix=to/", *secured, url]
    mirror = Background(s, "make-mirror", s.spawn([s.client.path, *flags, *words]))
    get = [s.client.path, *flags, "get", "to/1"]
    s.wait_until(lambda: s.finish(s.spawn(get), "get", secret=True))
    mirror.stop()
    run("get", "to/", "--prefix")


scenario_tls_administration.is_for_etcd = True
scenario_tls_administration.server_kind = TlsServer
