"""The scripts. Each function is one scenario: it gets a session on a fresh server of its own."""

from scenarios import cluster, concurrency, kv, lease, limits, maintenance, txn, watch
from server import Server

MODULES = [kv, txn, watch, lease, concurrency, maintenance, limits, cluster]


def all_scenarios(modules=None):
    """(name, function) in a fixed order."""
    return [
        (f"{module.__name__.rsplit('.', 1)[1]}.{name.removeprefix('scenario_')}", function)
        for module in modules or MODULES
        for name, function in vars(module).items()
        if name.startswith("scenario_")
    ]


def server_args(function):
    """Further arguments that the scenario's server is started with."""
    return getattr(function, "server_args", ())


def server_kind(function):
    """What the scenario runs on: a server of its own, or what it says."""
    return getattr(function, "server_kind", Server)
