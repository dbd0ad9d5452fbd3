"""Compaction, defragmentation, endpoint commands, hashes, alarms, members."""

from masking import STATUS_FIELDS, STATUS_JSON, STATUS_SIMPLE, STATUS_TABLE


def scenario_compaction(s):
    s.ctl("compaction 1")
    for number in range(8):
        s.ctl(f"put c {number}")
    s.ctl("put other x")
    s.ctl("del other")
    for command in ("5", "5", "4", "6 --physical", "7 -w json", "999999", "0", "-1", "x", ""):
        s.ctl(f"compaction {command}".strip())
        s.ctl("endpoint hashkv")
    s.ctl("get c --rev=6")
    s.ctl("get c --rev=7")
    s.ctl("compaction 11 --physical")
    s.ctl("get other -w json")
    s.ctl("get c -w json")
    s.ctl("endpoint hashkv")
    s.ctl("defrag")
    s.ctl("get c -w json")
    s.ctl("put c after")
    s.ctl("endpoint hashkv -w json")


def scenario_hashes(s):
    """One history with everything that enters the hash: versions, leases, deletes, rebirths."""
    lease = s.grant(500)
    for number in range(30):
        s.ctl(f"put key{number % 7} value{number}")
        if number % 5 == 0:
            s.ctl(f"del key{number % 7}")
        if number % 11 == 0:
            s.txn("", f"put x{number} 1", f"put y{number} 2", "del key3")
    for revision in range(0, 44, 3):
        s.ctl(f"endpoint hashkv --rev={revision}")
    for form in ("simple", "json", "fields", "table"):
        s.ctl(f"endpoint hashkv -w {form}")
    for revision in (9, 20, 33):
        s.ctl(f"compaction {revision} --physical")
        s.ctl("endpoint hashkv")
        for at_revision in (8, 20, 25, 35, 99):
            s.ctl(f"endpoint hashkv --rev={at_revision}")
    s.ctl("defrag")
    s.ctl("endpoint hashkv")
    s.ctl(f"put leased x --lease={lease}", label="put leased x --lease=<lease>")
    s.ctl("get leased -w fields")


def scenario_endpoints(s):
    s.ctl("put a 1")
    masks = {"simple": STATUS_SIMPLE, "json": STATUS_JSON, "fields": STATUS_FIELDS,
             "table": STATUS_TABLE}
    for form, mask in masks.items():
        s.ctl(f"endpoint status -w {form}", mask=mask)
        s.ctl(f"endpoint status --cluster -w {form}", mask=mask)
        s.ctl(f"endpoint health -w {form}")
        s.ctl(f"endpoint health --cluster -w {form}")
        s.ctl(f"endpoint hashkv -w {form}")
        s.ctl(f"endpoint hashkv --cluster -w {form}")
        s.ctl(f"member list -w {form}")
    s.ctl("member list --hex -w json")
    s.ctl("defrag")
    s.ctl("defrag --cluster")
    s.ctl("move-leader 1234")
    s.ctl("move-leader zz")
    s.ctl("auth status")
    s.ctl("auth disable")
    s.ctl("get a --user=nobody:wrong")


def scenario_alarms(s):
    """The quota: refused at the door, alarm raised, space made, alarm disarmed."""
    # How many puts fit depends on what a store counts.
    revision = [(r'"revision":\d+', '"revision":<n>'), (r'"Revision" : \d+', '"Revision" : <n>')]
    s.ctl("alarm list")
    s.ctl("alarm disarm")
    s.ctl("put small 1")
    for number in range(80):
        s.ctl(f"put big{number}", stdin="x" * 1_000_000, secret=True)
        if s.last_code != 0:
            break
    s.ctl("put refused", stdin="x" * 1_000_000, label="put of 1 MB over the quota")
    s.wait_until(lambda: "NOSPACE" in s.ctl("alarm list", secret=True))
    for form in ("simple", "json", "fields", "table"):
        s.ctl(f"alarm list -w {form}", mask=revision)
    s.ctl("put refused x")
    s.ctl("lease grant 100")
    s.txn("", "put refused x")
    s.ctl("get small")
    s.ctl("endpoint health")
    s.ctl("endpoint status -w json", mask=[*STATUS_JSON, *revision])
    s.ctl("del big --prefix --write-out=fields",
          mask=[(r'"(Revision|Deleted)" : \d+', r'"\1" : <n>')])
    now = s.ctl("get small -w json", secret=True).split('"revision":')[1].split(",")[0]
    s.ctl(f"compaction {now} --physical", label="compaction <now> --physical", secret=True)
    s.ctl("defrag")
    s.ctl("alarm disarm")
    s.ctl("alarm list")
    s.ctl("put accepted x")
    s.ctl("get accepted")


scenario_alarms.server_args = ("--quota-backend-bytes=16777216",)


def scenario_snapshots(s):
    """A snapshot is a database of the original's: its tools accept it, and it goes on with it."""
    lease = s.grant(5000)
    for number in range(40):
        s.ctl(f"put key{number % 9} value{number}")
    s.ctl(f"put leased x --lease={lease}", label="put leased x --lease=<lease>")
    s.ctl("put large -- ", stdin="y" * 300_000, label="put large")
    s.txn("", "put key1 a", "del key2", "put key3 b")
    s.ctl("compaction 30 --physical")
    for number in range(6):
        s.ctl(f"del key{number}")
    s.ctl("put key3 again")
    before = s.hash_kv()
    s.move_to_original()
    # The id of the lease is in it, so only before and after are to be the same.
    s.record("the hash is what it was", str(s.hash_kv() == before).encode(), b"", 0)
    s.ctl("get key --prefix -w json", mask=[(r'"raft_term":\d+', '"raft_term":<n>')])
    s.ctl("get key3 --rev=32")
    s.ctl("get key3 --rev=29")
    s.ctl("get large --print-value-only")
    s.ctl("lease list")
    s.ctl(f"lease timetolive {lease} --keys", label="lease timetolive <lease> --keys",
          mask=[(r"remaining\(\d+s\)", "remaining(<n>s)")])
    s.ctl("member list -w json", mask=[(r'"raft_term":\d+', '"raft_term":<n>')])
    s.ctl("put key3 after")
    s.ctl("compaction 50 --physical")
    s.ctl("get key --prefix")
