"""Commands about members and the whole cluster: formats, arguments, endpoints that don't answer."""

from masking import STATUS_JSON, STATUS_SIMPLE

DEAD = "127.0.0.1:1"
FORMS = ("simple", "json", "fields", "protobuf", "table")


def scenario_formats(s):
    s.ctl("put a 1")
    for command in ("alarm list", "alarm disarm", "defrag", "member list", "endpoint hashkv",
                    "endpoint hashkv --cluster"):
        for form in FORMS:
            s.ctl(f"{command} -w {form}")
    s.ctl("endpoint hashkv --rev=4000")
    for command in ("endpoint status", "endpoint health"):
        s.ctl(f"{command} -w protobuf")


def scenario_arguments(s):
    for line in ("alarm list x", "alarm disarm x", "move-leader", "move-leader zz",
                 "move-leader a b", "snapshot save", "snapshot save a b", "elect", "elect x",
                 "elect -l x y", "elect a b c", "lock", "make-mirror", "make-mirror a b",
                 "check perf --load=bad", "check datascale --load=bad", "auth enable x",
                 "auth disable x", "auth status x", "endpoint status -w bogus",
                 "endpoint health -w bogus", "member list extra", "memb list",
                 "en hea -w bogus"):
        s.ctl(line)
    s.bare([f"--endpoints={s.server.client},{DEAD}", "snapshot", "save", "x"])
    s.bare(["--endpoints=", "endpoint", "status"])


def scenario_dead_endpoints(s):
    both = [f"--endpoints={s.server.client},{DEAD}", "--command-timeout=500ms"]
    took = [(r"(?<![\w.])\d+(\.\d+)?m?s\b|\| +<duration>", "<duration>")]
    for arguments in (["endpoint", "status"], ["endpoint", "status", "-w", "json"],
                      ["endpoint", "hashkv"], ["defrag"]):
        s.bare([*both, *arguments], mask=[*STATUS_SIMPLE, *STATUS_JSON])
    for form in ("simple", "json", "fields", "table"):
        s.bare([f"--endpoints={DEAD}", "--command-timeout=500ms", "endpoint", "health", "-w", form],
               mask=took)
    for arguments in (["endpoint", "status", "--cluster"], ["endpoint", "health", "--cluster"],
                      ["member", "list"], ["alarm", "list"], ["auth", "status"],
                      ["auth", "enable"], ["move-leader", "1"], ["member", "remove", "1"],
                      ["member", "add", "x", "--peer-urls=http://h:1"]):
        s.bare([f"--endpoints={DEAD}", "--command-timeout=500ms", *arguments])
    s.bare([f"--endpoints={DEAD}", "--command-timeout=500ms", "snapshot", "save", "/nowhere/x"])


def scenario_snapshots(s):
    file = f"{s.server.folder}/file"
    for number in range(30):
        s.ctl(f"put key{number} {'v' * 1000}", label=f"put key{number}")
    for form in FORMS:
        s.ctl(f"snapshot save {file} -w {form}", label=f"snapshot save -w {form}", quiet=True,
              mask=[(r"saved at \S+", "saved at <file>")])
    s.utl(["snapshot", "status", "-w", "json", file], [(r'"(hash|totalSize)":\d+', r'"\1":<n>')])
    s.ctl("snapshot save /nowhere/x", quiet=True)


def scenario_mirror(s):
    """Into the server itself, under another prefix."""
    for number in range(5):
        s.ctl(f"put from/{number} {number}")
    s.ctl("put other x")
    mirror = s.start(["make-mirror", "--prefix=from/", "--dest-prefix=to/", s.server.client],
                     label="make-mirror --prefix --dest-prefix")
    s.wait_until(lambda: s.ctl("get to/4", secret=True))
    s.ctl("put from/5 new")
    s.ctl("del from/1")
    s.txn("", "put from/2 again", "put from/6 same", "del from/3")
    s.wait_until(lambda: s.ctl("get to/6", secret=True))
    s.ctl("get to/ --prefix")
    mirror.stop()
    mirror = s.start(["make-mirror", "--prefix=from/", "--no-dest-prefix", s.server.client],
                     label="make-mirror --no-dest-prefix")
    s.wait_until(lambda: s.ctl("get 6", secret=True))
    s.ctl("get 0 9")
    mirror.stop()
    s.ctl(["make-mirror", "--no-dest-prefix", "--dest-prefix=x", s.server.client],
          label="make-mirror with both")


def scenario_sessions(s):
    """Locks and elections in formats, with programs, and while somebody else has the lock."""
    # The key has the lease in it.
    key = [(r'"key":"[^"]*"', '"key":"<key>"')]
    for form in ("json", "fields"):
        lock = s.start(f"lock l -w {form}")
        lock.wait_lines(1)
        s.ctl("get l --prefix --keys-only")
        lock.stop(key)
        seat = s.start(f"elect seat me -w {form}")
        seat.wait_lines(1)
        seat.stop(key)
    for command in ("lock l -- no-such-program", "lock l -- sh -c 'kill -9 $$'", "lock l false",
                    "lock l --ttl=-1 echo x", "lock l -- sh -c 'cat; echo $ETCD_LOCK_REV; exit 7'"):
        s.ctl(command, stdin="input", mask=[(r"(?m)^\d+$", "<n>")])
    first = s.start("lock l")
    first.wait_lines(1)
    second = s.start("lock l", label="lock that is held")
    s.wait_until(lambda: s.ctl("get l --prefix --keys-only", secret=True).count("l/") == 2)
    second.stop()
    s.ctl("get l --prefix --keys-only")
    first.stop()
    seat = s.start("elect seat first")
    seat.wait_lines(2)
    waiting = s.start("elect seat second")
    s.wait_until(lambda: s.ctl("get seat --prefix --keys-only", secret=True).count("seat/") == 2)
    waiting.stop()
    seat.stop()
    s.ctl("get seat --prefix")
