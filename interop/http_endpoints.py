"""The HTTP/1.1 side of the client port: what each path answers, and which metrics are there.

The expectations are etcd's. Those marked `newer` came with later 3.5 releases than the original
that runs beside us, so they are checked on our server only.
"""

import re
import urllib.error
import urllib.request

# (method, path, status, pattern of the whole body, newer)
ANSWERS = [
    ("GET", "/health", 200, r'\{"health":"true","reason":""\}', False),
    ("GET", "/health?serializable=true", 200, r'\{"health":"true","reason":""\}', False),
    ("GET", "/health?exclude=NOSPACE", 200, r'\{"health":"true","reason":""\}', False),
    ("POST", "/health", 405, r"Method Not Allowed\n", False),
    ("GET", "/version", 200, r'\{"etcdserver":"3\.5\.\d+","etcdcluster":"3\.5\.0"\}', False),
    ("GET", "/nosuch", 404, r"404 page not found\n", False),
    ("OPTIONS", "/version", 200, r"", False),
    ("GET", "/livez", 200, r"ok\n", True),
    ("GET", "/livez?verbose", 200, r"\[\+\]serializable_read ok\nok\n", True),
    ("GET", "/livez/serializable_read", 200, r"ok\n", True),
    ("GET", "/readyz", 200, r"ok\n", True),
    ("GET", "/readyz?verbose", 200, r"(\[\+\]\w+ ok\n){3,}ok\n", True),
    ("GET", "/readyz?verbose&exclude=data_corruption", 200, r"(\[\+\][^\n]*\n)+ok\n", True),
    ("GET", "/readyz/data_corruption", 200, r"ok\n", True),
    ("GET", "/readyz/linearizable_read", 200, r"ok\n", True),
    ("GET", "/readyz/serializable_read", 200, r"ok\n", True),
    ("GET", "/readyz/non_learner", 200, r"ok\n", True),
]

HEADERS = {
    "/health": {"Content-Type": "text/plain; charset=utf-8"},
    "/version": {"Content-Type": "application/json"},
    "/metrics": {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
}

# Metrics that every dashboard of etcd reads and that a lone member can fill.
REQUIRED_METRICS = """
etcd_cluster_version etcd_debugging_lease_granted_total etcd_debugging_lease_revoked_total
etcd_debugging_mvcc_compact_revision etcd_debugging_mvcc_current_revision
etcd_debugging_mvcc_events_total etcd_debugging_mvcc_keys_total
etcd_debugging_mvcc_watcher_total etcd_disk_wal_fsync_duration_seconds
etcd_mvcc_db_total_size_in_bytes etcd_mvcc_db_total_size_in_use_in_bytes
etcd_mvcc_delete_total etcd_mvcc_put_total etcd_mvcc_range_total etcd_mvcc_txn_total
etcd_server_has_leader etcd_server_id etcd_server_is_leader etcd_server_is_learner
etcd_server_leader_changes_seen_total etcd_server_proposals_applied_total
etcd_server_proposals_committed_total etcd_server_proposals_failed_total
etcd_server_proposals_pending etcd_server_quota_backend_bytes etcd_server_version
process_cpu_seconds_total process_max_fds process_open_fds process_resident_memory_bytes
process_start_time_seconds process_virtual_memory_bytes
""".split()

# Counted the same way on both sides after the same commands.
EQUAL_METRICS = """
etcd_debugging_lease_granted_total etcd_debugging_lease_revoked_total
etcd_debugging_mvcc_compact_revision etcd_debugging_mvcc_current_revision
etcd_debugging_mvcc_keys_total etcd_mvcc_delete_total etcd_mvcc_put_total
etcd_server_has_leader etcd_server_is_leader etcd_server_quota_backend_bytes
""".split()


def ask(server, method, path):
    """(status, body, headers); an error status is an answer like any other."""
    request = urllib.request.Request(f"http://{server.client}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers


def metric_types(server):
    """Name to type, as the `# TYPE` lines declare them."""
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", server.http("/metrics"), re.MULTILINE))


def _exercise(session):
    for number in range(5):
        session.ctl(f"put key{number} value", secret=True)
    session.ctl("del key1", secret=True)
    session.ctl("compaction 4", secret=True)
    lease = re.search(r"lease (\w+)", session.ctl("lease grant 100", secret=True))
    session.ctl("lease grant 200", secret=True)
    if lease:
        session.ctl(f"lease revoke {lease.group(1)}", secret=True)


def check(theirs, ours, session_of):
    """Yields (name of the check, offence or None)."""
    for server, is_original in ((theirs, True), (ours, False)):
        who = "etcd" if is_original else "ours"
        server.wait_cluster_version()
        for method, path, status, body, newer in ANSWERS:
            if newer and is_original:
                continue
            got_status, got_body, headers = ask(server, method, path)
            offence = None
            if got_status != status or not re.fullmatch(body, got_body):
                offence = f"answered {got_status} {got_body!r}"
            for name, value in HEADERS.get(path, {}).items():
                if method == "GET" and headers.get(name) != value:
                    offence = f"header {name}: {headers.get(name)!r}"
            yield f"{who} {method} {path}", offence
    for server in (theirs, ours):
        _exercise(session_of(server))
    their_types, our_types = metric_types(theirs), metric_types(ours)
    for name in REQUIRED_METRICS:
        yield f"metric {name}", None if name in our_types else "is missing"
    for name in sorted(set(their_types) & set(our_types)):
        same = their_types[name] == our_types[name]
        yield f"type of metric {name}", None if same else f"is a {our_types[name]}"
    for name in EQUAL_METRICS:
        left, right = theirs.metric(name), ours.metric(name)
        yield f"value of metric {name}", None if left == right else f"etcd {left}  ours {right}"
