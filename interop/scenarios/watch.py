"""Watches: live, from the past, after a compaction, filtered by range, interactive, with exec."""


def scenario_live(s):
    plain = s.start_watch("watch w1")
    prefix = s.start_watch("watch w --prefix --prev-kv")
    ranged = s.start_watch("watch w1 w3 -w json")
    s.ctl("put w1 a")
    s.ctl("put w1 b")
    s.ctl("put w2 c")
    s.ctl("put w3 d")
    s.ctl("del w1")
    s.ctl("del w --prefix")
    s.ctl("put w3 last")
    s.ctl("put unrelated x")
    for watch, lines in ((plain, 9), (prefix, 32), (ranged, 5)):
        watch.wait_lines(lines, 5)
        watch.stop()


def scenario_formats(s):
    for form in ("simple", "json", "fields", "protobuf"):
        watch = s.start_watch(f"watch w --prefix --prev-kv -w {form}")
        s.ctl("put w1 a")
        s.ctl("put w1 b")
        s.ctl("del w1")
        watch.wait_lines({"json": 3, "simple": 13, "fields": 45, "protobuf": 20}[form], 5)
        watch.stop()


def scenario_history(s):
    for number in range(4):
        s.ctl(f"put h{number % 2} v{number}")
    s.ctl("del h0")
    s.ctl("put h0 back")
    for revision in range(1, 8):
        watch = s.start(f"watch h --prefix --rev={revision} -w json")
        watch.wait_lines(1)
        watch.stop()
    watch = s.start("watch h0 --rev=3 --prev-kv")
    watch.wait_lines(13)
    watch.stop()
    s.ctl("compaction 4")
    watch = s.start("watch h --prefix --rev=4 --prev-kv -w json")
    watch.wait_lines(1)
    watch.stop()
    for form in ("simple", "json", "fields"):
        s.start(f"watch h --prefix --rev=3 -w {form}").wait()
        s.start(f"watch unrelated --rev=1 -w {form}").wait()
    future = s.start_watch("watch h --prefix --rev=10")
    s.ctl("put h1 at-8")
    s.ctl("put h1 at-9")
    s.ctl("put h1 at-10")
    future.wait_lines(3)
    future.stop()


def scenario_interactive(s):
    s.ctl("put w1 a")
    s.ctl("watch -i", stdin="watch w2\ncancel\nbogus\n")
    watch = s.start("watch -i")
    watch.send("watch w1 --rev=1")
    watch.wait_lines(3)
    watch.send("progress")
    watch.wait_lines(4)
    s.ctl("put w1 b")
    watch.wait_lines(7)
    watch.send("watch w --prefix --prev-kv --rev=3")
    watch.wait_lines(12)
    watch.send("progress")
    # Both watches tell.
    watch.wait_lines(14)
    watch.stop()


def scenario_exec(s):
    s.ctl("put w1 a")
    s.ctl("del w1")
    watch = s.start("watch w1 --rev=1 -- echo hi")
    watch.wait_lines(8)
    watch.stop()
    watch = s.start(["watch", "w1", "--rev=1", "--", "sh", "-c", "env | grep ETCD_WATCH_ | sort"],
                    label="watch w1 --rev=1 -- env")
    watch.wait_lines(14)
    watch.stop()


def scenario_progress_notify(s):
    if s.client.version < "3.5":
        return  # The flag is younger.
    s.ctl("put w1 a")
    watch = s.start("watch w1 --progress-notify")
    watch.wait_lines(2)
    watch.stop(lines_max=2)


scenario_progress_notify.server_args = ("--experimental-watch-progress-notify-interval=200ms",)


def scenario_usage(s):
    s.ctl("watch")
    s.ctl("watch a --prefix --from-key")
    s.ctl("watch a --rev=x")
    s.ctl(["watch", "a", "--"], label="watch a --")


def scenario_many_events(s):
    """More events than one response holds, and a large value between them."""
    for number in range(20):
        puts = [f"put e{number:02}-{sub:03} {'v' * 200}" for sub in range(100)]
        s.ctl("txn", stdin="\n" + "\n".join(puts) + "\n\n\n", label=f"txn with 100 puts {number}",
              secret=True)
    s.ctl("put e-large", stdin="x" * 1_000_000, label="put e-large of 1 MB")
    s.ctl("put f x")
    watch = s.start(["watch", "", "--prefix", "--rev=1"], label="watch 2002 events")
    watch.wait_lines(3 * 2002)
    watch.stop()
    s.ctl("get e --prefix --count-only -w fields")
    s.ctl("get e --prefix --keys-only", label="get 2001 keys")
    s.ctl("endpoint hashkv")
