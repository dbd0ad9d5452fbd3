"""Requests at and over the limits, and what the clients make of the refusals."""


def scenario_sizes(s):
    s.ctl("put large", stdin="x" * 1_500_000, label="put of 1.5 MB")
    s.ctl("get large --print-value-only", label="get of 1.5 MB")
    s.ctl("put too-large", stdin="x" * 1_573_000, label="put just over the limit")
    s.ctl("put too-large", stdin="x" * 2_200_000, label="put over what the client sends")
    s.ctl("get too-large -w json")
    half = "y" * 900_000
    s.ctl("txn", stdin=f"\nput t1 {half}\nput t2 {half}\n\n\n", label="txn over the limit")
    s.ctl("get t --prefix -w json")
    long_key = "k" * 100_000
    s.ctl(["put", long_key, "v"], label="put with a key of 100 kB")
    s.ctl(["get", "kkkk", "--prefix", "--keys-only"], label="get the key of 100 kB")
    s.ctl("endpoint hashkv")


def scenario_txn_ops(s):
    s.txn("", "put a 1", "put b 2")
    s.txn("", "put a 1", "put b 2", "put c 3")
    s.txn("", "get a", "get b", "", "get a", "get b", "get c")
    s.ctl(["get", "", "--prefix", "-w", "json"], label="get '' --prefix -w json")


scenario_txn_ops.server_args = ("--max-txn-ops=2",)


def scenario_request_bytes(s):
    s.ctl("put small", stdin="x" * 500, label="put of 500 B")
    s.ctl("put large", stdin="x" * 2000, label="put of 2000 B")
    s.ctl(["get", "", "--prefix", "-w", "json"], label="get '' --prefix -w json")


scenario_request_bytes.server_args = ("--max-request-bytes=1024",)
