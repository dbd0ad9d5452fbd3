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


def long_runs(s, destination):
    """An election, somebody who listens to it, and a mirror that has copied."""
    s.ctl("put from/1 1")
    elected = s.start("elect seat first")
    elected.wait_lines(2)
    listener = s.start("elect --listen seat")
    listener.wait_lines(2)
    mirror = s.start(["make-mirror", "--prefix=from/", "--dest-prefix=to/", destination],
                     label="make-mirror")
    s.wait_until(lambda: s.ctl("get to/1", secret=True))
    return elected, listener, mirror


def end_long_runs(s, elected, listener, mirror):
    """They go on: what is put is copied, and who is elected then is told."""
    # Members that have lost their leader have to agree on another one first.
    s.wait_until(lambda: s.ctl("put agreed x", secret=True))
    s.ctl("put from/2 2")
    s.wait_until(lambda: s.ctl("get to/2", secret=True))
    s.ctl("get to/ --prefix")
    s.ctl("get seat/ --prefix --print-value-only")
    elected.stop()
    successor = s.start("elect seat second")
    successor.wait_lines(2)
    listener.wait_lines(4)
    successor.stop()
    listener.stop()
    # It prints a number every 30 seconds.
    mirror.stop(lines_max=0)


def scenario_a_member_is_killed(s):
    runs = long_runs(s, s.server.members[2].client)
    s.server.kill(0)
    end_long_runs(s, *runs)


scenario_a_member_is_killed.server_kind = Cluster


def scenario_a_lone_member_is_killed_and_comes_back(s):
    runs = long_runs(s, s.server.client)
    s.server.restart()
    end_long_runs(s, *runs)
