"""Lines of standard input: transactions and interactive watches, right and wrong."""


def scenario_transactions(s):
    s.ctl("put foo bar")
    s.txn('val("foo") = "b\\x61r"', "", 'put "a b" \'c "d\'', "put c 'single'", "get a --prefix")
    s.txn("val(`foo`) = `bar`", "", 'put "\\u00e4\\t" "\\101"', 'get "\\u00e4" --prefix -w json',
          options="-w json")
    s.txn('  mod("foo")   >   "0"  trailing', "", "get foo --print-value-only")
    for line in ('badcmp', 'mod(foo) = "1"', 'mod("foo" = "1"', 'mod("foo")="1"',
                 'mod("foo") = 1', 'mod("foo") = "x"', 'size("foo") = "1"', 'mod("foo"',
                 'mod("fo\\q") = "1"'):
        s.txn(line, "")
    for line in ("get", "get foo --bogus", "badop foo", "put a", "put a b --lease=zz",
                 "put a b --ignore-value", "get a --prefix --from-key", "del a b c",
                 'put "a\\q" b', "get a --consistency=x", 'put a "open', "get a --sort-by=x"):
        s.txn("", line)
    for stdin in ("", "\n", "\n\n", "\n\nget foo", 'mod("foo") > "0"\n\nget foo\n\n'):
        s.ctl("txn", stdin=stdin, label=f"txn <<< {stdin!r}")
    s.ctl("get a --prefix -w json")


def scenario_watches(s):
    s.ctl("put w1 a")
    s.ctl("put w2 b")
    for stdin in ("\n", "watch\n", "watch --prefix\n", "bogus\n", "watch w1 w2 --prefix\n",
                  "watch w1 --\n", "watch w1 --bogus\n", "watch w1 --rev=x\n", 'watch "w\\q"\n',
                  "watch -- echo hi\n", "watch w1 --rev=9223372036854775808\n", "progress\n", ""):
        s.ctl("watch -i", stdin=stdin, label=f"watch -i <<< {stdin!r}")
    watch = s.start("watch -i")
    watch.send("watch w1 --rev=1")
    watch.wait_lines(3)
    watch.send("watch w --prefix --rev=1 --prev-kv -- sh -c 'echo got $ETCD_WATCH_KEY'")
    watch.wait_lines(11)
    s.ctl("put w2 c")
    watch.wait_lines(17)
    watch.stop()


def scenario_programs(s):
    s.ctl(["put", "w1", 'quoted "value"\n'], label="put w1 quoted")
    variables = {"ETCDCTL_ENDPOINTS": s.server.client, "ETCDCTL_WATCH_KEY": "w",
                 "ETCDCTL_WATCH_RANGE_END": "x"}
    shown = "env | grep ETCD_WATCH_ | sort; exit 7"
    s.bare(["watch", "--rev=1", "--", "sh", "-c", shown], variables, label="watch of variables")
    s.ctl(["watch", "w1", "--rev=1", "--", "false"], label="watch w1 -- false")
    s.ctl(["watch", "w1", "--rev=1", "--", "no-such-program", "x"], label="watch w1 -- no program")
