"""Leases: grant, attach, renew, look, revoke, expire, and the refusals."""

from masking import LEASE_LIFE


def scenario_life(s):
    lease = s.grant(300)
    for form in ("simple", "json", "fields", "protobuf", "table"):
        s.ctl(f"lease grant 3{len(form)}0 -w {form}")
    s.ctl(f"put a 1 --lease={lease}", label="put a 1 --lease=<lease>")
    s.ctl(f"put b 2 --lease={lease}", label="put b 2 --lease=<lease>")
    s.ctl("get a -w fields")
    s.ctl("get a b -w json")
    for form in ("simple", "json", "fields", "table"):
        s.ctl(f"lease timetolive {lease} -w {form}", mask=LEASE_LIFE,
              label=f"lease timetolive <lease> -w {form}")
        s.ctl(f"lease timetolive {lease} --keys -w {form}", mask=LEASE_LIFE,
              label=f"lease timetolive <lease> --keys -w {form}")
        s.ctl(f"lease list -w {form}")
        s.ctl(f"lease keep-alive {lease} --once -w {form}", mask=LEASE_LIFE,
              label=f"lease keep-alive <lease> --once -w {form}")
    alive = s.start(f"lease keep-alive {lease}", label="lease keep-alive <lease>")
    alive.wait_lines(1)
    alive.stop(lines_max=1)
    s.ctl("put a detached")
    s.ctl(f"lease timetolive {lease} --keys", mask=LEASE_LIFE, label="timetolive after detaching")
    s.ctl("del b")
    s.ctl(f"lease timetolive {lease} --keys", mask=LEASE_LIFE, label="timetolive after deleting")
    s.ctl(f"put c 3 --lease={lease}", label="put c 3 --lease=<lease>")
    s.ctl(f"put d 4 --lease={lease}", label="put d 4 --lease=<lease>")
    watch = s.start_watch("watch c d0 --prev-kv -w json")
    s.ctl(f"lease revoke {lease}", label="lease revoke <lease>")
    watch.wait_lines(1)
    watch.stop()
    s.ctl(f"lease revoke {lease}", label="lease revoke <lease> again")
    s.ctl(f"lease timetolive {lease} --keys", label="timetolive after revoking")
    s.ctl(["get", "", "--prefix", "-w", "json"], label="get '' --prefix -w json")


def scenario_move_between_leases(s):
    first, second = s.grant(300), s.grant(400)
    s.ctl(f"put k 1 --lease={first}", label="put k 1 --lease=<first>")
    s.ctl(f"put k 2 --lease={second}", label="put k 2 --lease=<second>")
    s.ctl(f"lease timetolive {first} --keys", mask=LEASE_LIFE, label="timetolive <first>")
    s.ctl(f"lease timetolive {second} --keys", mask=LEASE_LIFE, label="timetolive <second>")
    s.ctl(f"lease revoke {first}", label="lease revoke <first>")
    s.ctl("get k -w json")
    s.ctl(f"lease revoke {second} -w json", label="lease revoke <second> -w json")
    s.ctl("get k -w json")
    lease = s.grant(300)
    s.txn("", f"put t1 x --lease={lease}", f"put t2 y --lease={lease}", "put t3 z")
    s.steps[-1].label = "txn that attaches two keys"
    s.ctl(f"lease timetolive {lease} --keys", mask=LEASE_LIFE, label="timetolive of two keys")
    s.ctl(f"lease revoke {lease}", label="lease revoke of two keys")
    s.ctl("get t --prefix -w json")


def scenario_expiry(s):
    short = s.grant(1)
    s.ctl("lease grant 2")
    s.ctl(f"put gone x --lease={short}", label="put gone x --lease=<short>")
    watch = s.start("watch gone --rev=2 -w json")
    watch.wait_lines(2, 30)
    watch.stop()
    s.ctl("get gone -w json")
    s.ctl(f"lease timetolive {short}", label="lease timetolive <short>")
    s.wait_until(lambda: "found 0" in s.ctl("lease list", secret=True))
    s.ctl("lease list")
    s.ctl(f"lease keep-alive {short} --once", label="lease keep-alive <short> --once")


def scenario_refused(s):
    s.ctl("lease grant")
    s.ctl("lease grant x")
    s.ctl("lease grant 0")
    s.ctl("lease grant -- -5")
    s.ctl("lease grant 9000000001")
    s.ctl("lease grant 9000000000")
    for command in ("revoke", "timetolive", "keep-alive --once"):
        s.ctl(f"lease {command} 1234")
        s.ctl(f"lease {command} zz")
        s.ctl(f"lease {command}")
    s.ctl("lease timetolive 1234 -w json")
    s.ctl("lease keep-alive 1234")
