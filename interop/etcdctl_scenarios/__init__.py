"""Scenarios about the client itself. A function with `is_for_etcd` runs against the original's
server only, one with `server_kind` on a server of that class."""

import scenarios
from etcdctl_scenarios import (
    access, administration, connection, fail_over, flags, input_lines, output, secured, terminal,
)

MODULES = [flags, connection, output, input_lines, terminal, secured, administration, access,
           fail_over]


def all_scenarios():
    """(name, function) in a fixed order."""
    return scenarios.all_scenarios(MODULES)
