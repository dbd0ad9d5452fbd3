"""Three members: who leads, whether they have the same, and how the cluster is changed."""

import re

from cluster import Cluster, by_member
from masking import STATUS_FIELDS, STATUS_JSON, STATUS_SIMPLE, STATUS_TABLE

FORMS = ("simple", "json", "fields", "table")

# Terms depend on how many elections there were.
TERMS = [
    (r'"raft_term":\d+', '"raft_term":<n>'),
    (r'"raftTerm":\d+', '"raftTerm":<n>'),
    (r'"RaftTerm" : \d+', '"RaftTerm" : <n>'),
    (r"(true|false), (true|false), \d+, <n>, <n>", r"\1, \2, <n>, <n>, <n>"),
    (r"(true|false) +\| +(true|false) +\| +\d+ +\| <n>", r"\1 | \2 | <n> | <n>"),
]

# An id whose first digit is 0 is shorter, and padded.
SHORT_IDS = [(r"(Member|cluster) +(?=[0-9a-f]+)", r"\1 ")]

# JSON is sorted before its numbers are masked.
ORDER = [(r"(?s)\A.+\Z", lambda match: by_member(match.group(0))),
         (r"\| +", "| ")]

STATUS = ORDER + STATUS_SIMPLE + STATUS_JSON + STATUS_FIELDS + STATUS_TABLE + TERMS

# The member that answers is any of them.
ANSWERED = [(r'"member_id":"?[0-9a-f]+"?', '"member_id":<n>'), (r'"MemberID" : \d+',
                                                               '"MemberID" : <n>')]

MEMBERS = ORDER + TERMS + ANSWERED + SHORT_IDS

INITIAL_CLUSTER = [(r'(?m)^ETCD_INITIAL_CLUSTER="(.*)"$', lambda match: 'ETCD_INITIAL_CLUSTER="%s"'
                    % ",".join(sorted(match.group(1).split(","))))]

# Nobody is there; as a learner it isn't needed. Each has another port: the id follows from URL and
# second, and an id that was removed doesn't come back.
NEW = "http://127.0.0.1:"


def lead(s, number):
    """Lets a member lead, and waits until all know it."""
    target = s.server.id_of(number)

    def leads():
        s.ctl(f"move-leader {target}", secret=True)
        status = s.ctl("endpoint status -w json", secret=True)
        leaders = re.findall(r'"leader":(\d+)', status)
        return len(leaders) == 3 and {f"{int(one):x}" for one in leaders} == {target}

    s.wait_until(leads)


def show(s, command, mask):
    """A command in every format."""
    for form in FORMS:
        s.ctl(f"{command} -w {form}", mask=mask)


def find_new(s):
    """The id of the member that was added last, once the list has it."""
    found = []

    def is_there():
        found[:] = re.findall(rf"(?m)^([0-9a-f]+), .*{NEW}\d,", s.ctl("member list", secret=True))
        return found

    s.wait_until(is_there)
    return found[0] if found else "0"


def scenario_endpoints(s):
    lead(s, 0)
    s.ctl("put a 1")
    show(s, "endpoint status", STATUS)
    show(s, "endpoint health", ORDER)
    show(s, "endpoint hashkv", ORDER + TERMS)
    s.server.talk_to(1)
    show(s, "endpoint status --cluster", STATUS)
    show(s, "endpoint health --cluster", ORDER)
    show(s, "endpoint hashkv --cluster", ORDER + TERMS)
    show(s, "member list", MEMBERS)
    s.ctl("member list --hex -w json", mask=MEMBERS)
    for number in range(10):
        s.ctl(f"put b{number} x")
    s.ctl("endpoint hashkv --cluster", mask=ORDER)
    s.ctl("endpoint hashkv --cluster --rev=4", mask=ORDER)
    s.ctl("defrag --cluster", mask=ORDER)


def scenario_move_leader(s):
    lead(s, 0)
    for command in ("move-leader", "move-leader zz", "move-leader deadbeef"):
        s.ctl(command)
    s.ctl(f"move-leader {s.server.id_of(1)}", label="move-leader <m2>")
    lead(s, 1)
    s.ctl("endpoint status", mask=STATUS)
    for form in FORMS:
        lead(s, 0)
        s.ctl(f"move-leader {s.server.id_of(2)} -w {form}", label=f"move-leader <m3> -w {form}")
    lead(s, 2)
    s.server.talk_to(0)
    s.ctl(f"move-leader {s.server.id_of(1)}", label="move-leader <m2> at a follower")
    s.server.talk_to(0, 1)
    s.ctl(f"move-leader {s.server.id_of(1)}", label="move-leader <m2> at two followers")


def scenario_members(s):
    lead(s, 0)
    s.server.talk_to(0)
    # Members have to have been connected for some seconds before others may join.
    added = f"member add l1 --learner --peer-urls={NEW}1"
    s.wait_until(lambda: "added" in s.ctl(added, secret=True))
    new = find_new(s)
    show(s, "member list", MEMBERS)
    s.ctl(f"member promote {new}", label="member promote <new>")
    s.ctl(f"member update {new} --peer-urls={NEW}9", label="member update <new>",
          mask=MEMBERS)
    s.ctl(f"member remove {new} -w json", label="member remove <new> -w json", mask=MEMBERS)
    s.ctl(f"member remove {new}", label="member remove <new> again")
    for port, form in enumerate(FORMS, 2):
        s.ctl(f"member add l1 --learner --peer-urls={NEW}{port} -w {form}",
              mask=MEMBERS + INITIAL_CLUSTER)
        s.ctl(f"member remove {find_new(s)} -w {form}", label=f"member remove <new> -w {form}",
              mask=MEMBERS)
    for line in ("member add", "member add a b http://c:1", "member add m9",
                 "member add --peer-urls=http://127.0.0.1:1", "member add x --peer-urls=127.0.0.1",
                 "member add x --peer-urls=http://h", "member add x --peer-urls=127.0.0.1:1",
                 "member add x --peer-urls=http://h:1/p", "member remove", "member remove zz",
                 "member remove deadbeef", "member promote", "member promote deadbeef",
                 "member update", "member update deadbeef",
                 "member update deadbeef --peer-urls=http://x:1"):
        s.ctl(line)
    s.ctl(f"member promote {s.server.id_of(1)}", label="member promote <m2>")


for scenario in (scenario_endpoints, scenario_move_leader, scenario_members):
    scenario.server_kind = Cluster
