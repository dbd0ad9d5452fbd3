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


def scenario_files(s):
    for line in ("--cacert=/nonexistent get x", "--cert=a get x", "--key=a get x",
                 "--cert= get x", "--key= get x", "--cacert= get x"):
        s.ctl(line)


def scenario_large_requests(s):
    s.ctl("put big", stdin="x" * 1_000_000, label="put of 1 MB")
    s.ctl("get big --keys-only")
    s.ctl("put big", stdin="x" * 1_600_000, label="put of 1.6 MB")
    s.ctl("put big", stdin="x" * 2_200_000, label="put of 2.2 MB")
