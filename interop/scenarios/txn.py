"""Transactions: every compare target and operator, both branches, nesting of effects, refusals."""


def scenario_branches(s):
    s.ctl("put foo bar")
    script = ['mod("foo") > "0"', "", "put r1 success", "get r1", "del r2", "", "put r2 fail"]
    for form in ("simple", "json", "fields", "protobuf", "table"):
        s.txn(*script, options=f"-w {form}")
    s.txn('value("foo") = "nope"', "", "put r1 success", "", "put r2 fail", "get r2")
    s.txn("", "get foo", options="-w json")
    s.txn("", "", "", options="-w json")
    s.txn('value("foo") = "bar"', "", "", "put never x", options="-w json")
    s.txn("", "get r --prefix --rev=3", "get r --prefix --limit=1", "get r2 --keys-only",
          "get r --from-key --order=DESCEND", options="-w json")
    s.txn("", "get r --prefix", "put r3 x", "get r --prefix", "del f --prefix", "get f --prefix",
          options="-w json")
    s.ctl("put r1 again")
    s.txn("", "del r1 --prev-kv", "put other x --prev-kv", "put foo y --prev-kv", options="-w json")
    s.ctl(["get", "", "--prefix", "-w", "json"], label="get '' --prefix -w json")
    s.txn('mod("foo") > "0"', "", "get foo", "", options="--interactive")
    s.ctl("endpoint hashkv")


def scenario_compares(s):
    s.ctl("put foo bar")
    s.ctl("put foo baz")
    s.ctl("put one 1")
    for target, operands in [("value", ("bar", "baz", "bzz")), ("val", ("baz",)),
                             ("version", ("0", "1", "2", "3")), ("ver", ("2",)),
                             ("create", ("0", "2", "3")), ("c", ("2",)),
                             ("mod", ("0", "2", "3", "4")), ("m", ("3",))]:
        for operand in operands:
            for operator in ("=", "!=", "<", ">"):
                for key in ("foo", "missing"):
                    s.txn(f'{target}("{key}") {operator} "{operand}"', "", "get one --keys-only")
    s.txn('ver("foo") = "2"', 'c("foo") < "100"', 'mod("one") = "4"', "", "get foo", "", "get one")
    s.txn('ver("foo") = "2"', 'c("foo") > "100"', "", "get foo", "", "get one")
    s.txn('value("foo") = "a \\"quoted\\" one"', "", "get foo", "", "get one")


def scenario_refused(s):
    s.ctl("put foo bar")
    s.txn("", "put a 1", "put a 2")
    s.txn("", "put a 1", "del a")
    s.txn("", "del a", "put a 1")
    s.txn("", "put a1 1", "del a --prefix")
    s.txn("", "del a --prefix", "del a1", options="-w json")
    s.txn("", "put b 1", "", "put b 2")
    s.txn("", "get foo --rev=99")
    s.txn("", "put before x", "get foo --rev=99")
    s.ctl("get before -w json")
    s.txn("", "put leased x --lease=1234")
    s.txn("", "put missing --ignore-value")
    s.txn("badcmp", "")
    s.txn('mod("foo") > "0"', "", "badop foo")
    s.txn('mod("foo") > "x"', "", "get foo")
    s.txn('value("") = "x"', "", "get foo")
    s.ctl("txn extra", stdin="\n")
    many = [f"put many{n} x" for n in range(128)]
    s.ctl("txn", stdin="\n" + "\n".join(many) + "\n\n\n", label="txn with 128 puts")
    stdin = "\n" + "\n".join([*many, "put last x"]) + "\n\n\n"
    s.ctl("txn", stdin=stdin, label="txn with 129 puts")
    s.ctl("txn", stdin="\n" + "\n".join(["get foo"] * 129) + "\n\n\n", label="txn with 129 gets")
    compares = ['mod("foo") > "0"'] * 129
    s.ctl("txn", stdin="\n".join(compares) + "\n\nget foo\n\n\n", label="txn with 129 compares")
    s.ctl("get many --prefix --count-only -w fields")
    s.ctl("get many0 -w json")
    s.ctl("get many127 -w json")


def scenario_history(s):
    """Several changes in one revision, seen by reads, watches and hashes."""
    s.txn("", "put a 1", "put b 2", "put c 3", options="-w json")
    s.txn("", "del a", "put b 22", "del c", "put d 4", options="-w json")
    for revision in (1, 2, 3):
        s.ctl(["get", "", "--prefix", f"--rev={revision}", "-w", "json"],
              label=f"get '' --prefix --rev={revision} -w json")
    watch = s.start(["watch", "", "--prefix", "--rev=1", "--prev-kv", "-w", "json"],
                    label="watch '' --prefix --rev=1 --prev-kv -w json")
    watch.wait_lines(1)
    watch.stop()
    watch = s.start(["watch", "", "--prefix", "--rev=1"], label="watch '' --prefix --rev=1")
    watch.wait_lines(21)
    watch.stop()
    for revision in (0, 1, 2, 3):
        s.ctl(f"endpoint hashkv --rev={revision}")
    s.ctl("compaction 3")
    s.ctl("endpoint hashkv")
    s.ctl("get a --rev=2")
