"""Endpoints that don't answer, several of them, and what is wrong with a certificate's files."""

DEAD = "127.0.0.1:1"


def scenario_endpoints(s):
    both = f"--endpoints={DEAD},{s.server.client}"
    for arguments in (["put", "k", "v"], ["get", "k"], ["del", "k"], ["lease", "grant", "9"]):
        s.bare([both, *arguments])
    for endpoint in (f"http://{s.server.client}", f"http://{s.server.client}/"):
        s.bare([f"--endpoints={endpoint}", "get", "k", "-w", "json"])
    s.bare([f"--endpoints={s.server.client}", f"--endpoints={DEAD}", "get", "k"])
    for arguments in (["put", "k", "v"], ["get", "k"], ["compaction", "1"], ["lease", "grant", "9"],
                      ["lease", "revoke", "1"]):
        s.bare([f"--endpoints={DEAD}", "--command-timeout=300ms", *arguments])
    s.bare(["--endpoints=", "get", "k"])
    s.bare([f"--endpoints={DEAD}", "--user=a:b", "--dial-timeout=300ms", "get", "k"])


def scenario_restart(s):
    """What runs on goes on where it was, and tells nothing twice."""
    lease = s.grant(300)
    watch = s.start_watch("watch w --prefix")
    lines = s.start("watch -i")
    lines.send("watch w1 --rev=1 --prev-kv")
    s.server.wait_metric("etcd_debugging_mvcc_watcher_total", 2)
    alive = s.start(f"lease keep-alive {lease}", label="lease keep-alive <lease>")
    alive.wait_lines(1)
    s.ctl("put w1 a")
    watch.wait_lines(3)
    lines.wait_lines(3)
    s.server.restart()
    s.ctl("put w2 b")
    s.ctl("put w1 c")
    watch.wait_lines(9)
    lines.wait_lines(8)
    for running in (watch, lines):
        running.stop()
    alive.stop(lines_max=1)


def scenario_files(s):
    for line in ("--cacert=/nonexistent get x", "--cert=a get x", "--key=a get x",
                 "--cert= get x", "--key= get x", "--cacert= get x"):
        s.ctl(line)


def scenario_large_requests(s):
    s.ctl("put big", stdin="x" * 1_000_000, label="put of 1 MB")
    s.ctl("get big --keys-only")
    s.ctl("put big", stdin="x" * 1_600_000, label="put of 1.6 MB")
    s.ctl("put big", stdin="x" * 2_200_000, label="put of 2.2 MB")
