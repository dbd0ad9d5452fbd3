"""put, get and del with every flag that the clients have."""

FORMATS = ("simple", "json", "fields", "protobuf", "table")


def scenario_put(s):
    s.ctl("put foo bar")
    s.ctl("put foo bar2 --prev-kv")
    for form in FORMATS:
        s.ctl(f"put foo bar-{form} --prev-kv -w {form}")
        s.ctl(f"put new-{form} v --prev-kv -w {form}")
    s.ctl("put from-stdin", stdin="value from stdin")
    s.ctl("put -- -k -v")
    s.ctl("put foo --ignore-value")
    s.ctl("get foo -w fields")
    s.ctl("put foo x --ignore-value")
    s.ctl("put missing --ignore-value")
    s.ctl("put foo z --ignore-lease")
    s.ctl("put missing z --ignore-lease")
    lease = s.grant(300)
    s.ctl(f"put foo leased --lease={lease}", label="put foo leased --lease=<lease>")
    s.ctl("put foo kept --ignore-lease")
    s.ctl("get foo -w fields")
    s.ctl("put foo --ignore-value")
    s.ctl("get foo -w fields")
    s.ctl(f"put foo x --ignore-lease --lease={lease}", label="put foo x both lease flags")
    s.ctl("put foo z --lease=1234")
    s.ctl("put foo z --lease=zz")
    s.ctl("put")
    s.ctl("put a b c")
    s.ctl(["put", "", "v"], label="put '' v")
    s.ctl(["put", "empty", ""], label="put empty ''")
    s.ctl("get empty -w json")
    s.ctl(["put", "binary\x01\x7f", "\u00e9\u4e2d\x02"], label="put binary")
    s.ctl("get binary --prefix -w json")
    s.ctl("get binary --prefix --hex")
    s.ctl(["get", "", "--prefix", "-w", "fields"], label="get '' --prefix -w fields")


def _fill(s):
    for key, value in [("k1", "b"), ("k2", "c"), ("k3", "a"), ("m1", "x"), ("k2", "a2"),
                       ("k1", "z"), ("ka", "1"), ("kb", "2"), ("l", "3")]:
        s.ctl(f"put {key} {value}")


def scenario_get(s):
    _fill(s)
    for form in FORMATS:
        s.ctl(f"get k1 -w {form}")
        s.ctl(f"get nothing -w {form}")
        s.ctl(f"get k --prefix --limit=2 -w {form}")
        s.ctl(f"get k --prefix --keys-only -w {form}")
        s.ctl(f"get k --prefix --count-only -w {form}")
        s.ctl(f"get k --prefix --print-value-only -w {form}")
    s.ctl("get k1 k3")
    s.ctl("get k1 k1")
    s.ctl("get k3 k1")
    s.ctl("get k2 --from-key")
    s.ctl("get k2 --from-key --limit=3 -w json")
    s.ctl(["get", "", "--from-key", "-w", "json"], label="get '' --from-key -w json")
    s.ctl(["get", "", "--prefix", "--keys-only"], label="get '' --prefix --keys-only")
    s.ctl(["get", ""], label="get ''")
    s.ctl(["get", "", "--keys-only"], label="get '' --keys-only")
    for limit in (0, 1, 4, 5, 6, 100):
        s.ctl(f"get k --prefix --limit={limit} -w json")
    s.ctl("get k --prefix --limit=-1 -w json")
    s.ctl("get k1 --hex")
    s.ctl("get k1 --hex -w json")
    s.ctl("get k1 --hex -w fields")
    for consistency in ("l", "s", "zz"):
        s.ctl(f"get k1 --consistency={consistency}")
    s.ctl("get k --prefix --count-only --consistency=s -w fields")


def scenario_get_sorted(s):
    _fill(s)
    for target in ("CREATE", "KEY", "MODIFY", "VALUE", "VERSION"):
        s.ctl(f"get k --prefix --sort-by={target}")
        for order in ("ASCEND", "DESCEND"):
            s.ctl(f"get k --prefix --sort-by={target} --order={order} -w json")
            s.ctl(f"get k --prefix --sort-by={target} --order={order} --limit=2 -w fields")
    s.ctl("get k --prefix --order=descend")
    s.ctl("get k --prefix --order=descend --limit=1 --rev=4 -w json")
    s.ctl("get k --prefix --sort-by=version --keys-only --order=descend")
    s.ctl("get k --prefix --sort-by=bad")
    s.ctl("get k --prefix --order=bad")


def scenario_get_at_revisions(s):
    _fill(s)
    s.ctl("del k2")
    s.ctl("put k2 again")
    for revision in range(0, 13):
        s.ctl(f"get k --prefix --rev={revision} -w json")
        s.ctl(f"get k2 --rev={revision} -w fields")
    s.ctl("get k --prefix --rev=5 --count-only -w fields")
    s.ctl("get k --prefix --rev=5 --keys-only")
    s.ctl("get k1 --rev=13")
    s.ctl("get k1 --rev=999999 --consistency=s")
    s.ctl("get k1 --rev=-1")
    s.ctl("compaction 6")
    for revision in range(4, 9):
        s.ctl(f"get k --prefix --rev={revision} -w json")
    s.ctl("get nothing --rev=5")
    s.ctl("get k --prefix --rev=5 --count-only -w fields")


def scenario_get_usage(s):
    s.ctl("put k1 v")
    s.ctl("get")
    s.ctl("get k --prefix --from-key")
    s.ctl("get k1 k2 --prefix")
    s.ctl("get k1 k2 k3")
    s.ctl("get k1 --keys-only --count-only")
    s.ctl("get k1 -w bogus")
    s.ctl("get k1 --bogus")
    s.ctl("get k1 --user=root:pw")


def scenario_del(s):
    _fill(s)
    s.ctl("del k1")
    s.ctl("del k1")
    s.ctl("del k --prefix --prev-kv")
    s.ctl("del k --prefix --prev-kv")
    for form in FORMATS:
        s.ctl("put d1 x")
        s.ctl("put d2 y")
        s.ctl(f"del d --prefix --prev-kv -w {form}")
        s.ctl(f"del nothing -w {form}")
    _fill(s)
    s.ctl("del k1 k3")
    s.ctl("del k3 k1")
    s.ctl("del l --from-key --prev-kv")
    s.ctl("del ka kb --range")
    s.ctl(["del", ""], label="del ''")
    s.ctl("del")
    s.ctl("del a b --prefix")
    s.ctl("del a --prefix --from-key")
    s.ctl(["del", "", "--prefix"], label="del '' --prefix")
    s.ctl(["get", "", "--prefix", "-w", "json"], label="get '' --prefix -w json")
    s.ctl(["del", "", "--from-key"], label="del '' --from-key")
    s.ctl("put k1 reborn")
    s.ctl("get k1 -w json")
    s.ctl("endpoint hashkv")
