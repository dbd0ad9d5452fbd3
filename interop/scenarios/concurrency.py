"""Locks and elections as etcdctl does them."""


def scenario_lock(s):
    first = s.start("lock mylock")
    first.wait_lines(1)
    s.ctl("get mylock --prefix --keys-only")
    second = s.start("lock mylock --ttl=20")
    s.server.wait_metric("etcd_debugging_mvcc_keys_total", 2)
    # Lease ids, and with them the keys, have no order between two clients.
    s.ctl("get mylock --prefix --sort-by=CREATE")
    first.stop()
    second.wait_lines(1)
    s.ctl("get mylock --prefix -w fields", mask=[(r"mylock/[0-9a-f]+", "mylock/<session>")])
    second.stop()
    s.ctl("get mylock --prefix")
    s.ctl("lock mylock echo held")
    s.ctl("lock mylock -- sh -c 'echo $ETCD_LOCK_KEY $ETCD_LOCK_REV'")
    s.ctl("lock mylock -- sh -c 'exit 3'")
    s.ctl("lock")
    s.ctl("lease list")


def scenario_election(s):
    first = s.start("elect seat alice")
    first.wait_lines(2)
    listener = s.start("elect -l seat")
    listener.wait_lines(2)
    second = s.start("elect seat bob")
    s.server.wait_metric("etcd_debugging_mvcc_keys_total", 2)
    s.ctl("get seat --prefix --sort-by=CREATE")
    first.stop()
    second.wait_lines(2)
    listener.wait_lines(4)
    listener.stop()
    second.stop()
    s.ctl("get seat --prefix")
    s.ctl("elect")
    s.ctl("elect seat a b")
