"""The scripts. Each function is one scenario: it gets a session on a fresh server of its own."""

from scenarios import cluster, concurrency, kv, lease, limits, maintenance, txn, watch
from server import Server

MODULES = [kv, txn, watch, lease, concurrency, maintenance, limits, cluster]


def all_scenarios():
    """(name, function) in a fixed order."""
    for module in MODULES:
        short = module.__name__.rsplit(".", 1)[1]
        for name, function in vars(module).items():
            if name.startswith("scenario_"):
                yield f"{short}.{name.removeprefix('scenario_')}", function


def server_args(function):
    """Further arguments that the scenario's server is started with."""
    return getattr(function, "server_args", ())


def server_kind(function):
    """What the scenario runs on: a server of its own, or what it says."""
    return getattr(function, "server_kind", Server)
