"""Flags in every position, flags that can't be, and variables that stand for them."""


def scenario_positions(s):
    s.ctl("put k1 v1")
    s.ctl("put k2 v2")
    for line in ("get k --prefix -w json", "get -w json k --prefix", "-w json get --prefix k",
                 "get --write-out json --prefix k", "get k --prefix=true -w=json",
                 "get k -wjson --prefix=1", "get k --prefix=f", "get k --prefix --prefix=false",
                 "get k -w fields --prefix -w json", "get k1 --hex", "get k1 --hex=true -w simple",
                 "get k1 --rev 0x2", "get k1 --rev=2 -- ", "get -- k1", "get k --limit -1 --prefix",
                 "ge k1", "compac 1", "lea lis"):
        s.ctl(line)


def scenario_mistakes(s):
    for line in ("get k1 --bogus", "get k1 --bogus=1", "get -endpoints=a k1", "get k1 -x",
                 "get k1 --rev", "get k1 --rev=x", "get k1 --rev=99999999999999999999",
                 "get k1 --limit=1.5", "get k1 --prefix=x", "get k1 --dial-timeout=x",
                 "get k1 --command-timeout=5", "get k1 --command-timeout=5x", "lease grant -5",
                 "bogus", "tnx", "pu", "compaction x", "compaction", "compaction 1 2",
                 "lease grant 1 2", "lease list extra", "version extra", "version -w json"):
        s.ctl(line)


def scenario_environment(s):
    endpoints = {"ETCDCTL_ENDPOINTS": s.server.client}
    s.bare(["put", "k1", "v1"], endpoints)
    s.bare(["get", "k1"], endpoints | {"ETCDCTL_WRITE_OUT": "json"})
    s.bare(["get", "k1"], endpoints | {"ETCDCTL_HEX": "true"})
    s.bare(["get", "k1", "--hex"], endpoints | {"ETCDCTL_HEX": "true"})
    s.bare(["get", "k1", "--hex=false"], endpoints | {"ETCDCTL_HEX": "true"})
    s.bare([f"--endpoints={s.server.client}", "get", "k1"], endpoints)
    s.bare(["get", "k1"], endpoints | {"ETCDCTL_SOMETHING": "else"})
    s.bare(["get", "k1"], endpoints | {"ETCDCTL_CERT": ""})
    s.bare(["get", "k1"], endpoints | {"ETCDCTL_API": ""})
    s.bare(["get", "k1"], endpoints | {"ETCDCTL_API": "4"})
    s.bare(["get", "k1"], endpoints | {"ETCDCTL_WRITE_OUT": "bogus"})
    s.bare(["version"], {"ETCDCTL_API": "4"})
    s.bare(["version"], endpoints | {"ETCDCTL_HEX": "true"})
    s.bare(["watch"], endpoints | {"ETCDCTL_WATCH_RANGE_END": "b"})
    s.bare(["watch", "k"], endpoints | {"ETCDCTL_WATCH_KEY": "a"})
    s.bare(["watch", "k", "--", "true"], endpoints | {"ETCDCTL_WATCH_KEY": "a"})


def scenario_arguments(s):
    for line in ("get", "get a b --prefix", "get a --prefix --from-key",
                 "get a --keys-only --count-only", "get a --consistency=x", "get a --order=x",
                 "get a --sort-by=x", "get a -w x", "get a --print-value-only -w json", "put",
                 "put a b --ignore-value", "put a b --lease=zz", "del", "del a b c",
                 "del a b --prefix", "del a --prefix --from-key", "watch", "watch a b --prefix",
                 "watch a --", "txn a", "lease revoke", "lease revoke a b", "lease revoke zz",
                 "lease timetolive", "lease timetolive zz", "lease keep-alive",
                 "lease keep-alive zz"):
        s.ctl(line)
