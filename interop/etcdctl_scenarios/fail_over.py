"""A member that was in use goes away: what runs for long goes on at the others."""

from cluster import Cluster


def scenario_a_member_goes(s):
    # Whichever member a program has chosen, two of three are there afterwards.
    watch = s.start("watch k --rev=1")
    lock = s.start("lock l")
    lock.wait_lines(1)
    waiting = s.start("lock l", label="lock that is held")
    s.wait_until(lambda: s.ctl("get l/ --prefix --keys-only", secret=True).count("l/") == 2)
    s.server.remove(0)
    s.ctl("put k v")
    watch.wait_lines(3)
    s.ctl("get l/ --prefix --sort-by=CREATE --keys-only")
    lock.stop()
    waiting.wait_lines(1)
    s.ctl("get l/ --prefix --keys-only")
    waiting.stop()
    watch.stop()
    s.ctl("get k")


scenario_a_member_goes.server_kind = Cluster
