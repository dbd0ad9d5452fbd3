"""Replaces what differs from run to run: lease ids, ports, times, sizes of files.

Lease ids are replaced by their order of appearance, so that the same id in two places must be the
same on the other side too. The ids of member and cluster follow from the peer URL, which is the
same for all servers, so they get names and a wrong one is told. Revisions, hashes, counts, versions
of keys and raft terms stay.
"""

import re

# A varint of an id in `-w protobuf` output: nine or ten bytes, all but the last with the top bit.
BINARY_ID = re.compile(rb"[\x80-\xff]{8,9}[\x01-\x7f]")
TEXT_ID = r"(?<![0-9A-Za-z.])(?:0x)?(?:[0-9a-f]{13,16}|[0-9]{17,20}%s)(?![0-9A-Za-z.])"
HEX_DIGITS_MAX = 16

RULES = [
    # The client's own log lines on stderr.
    (re.compile(r'"ts":"[^"]*"'), '"ts":"<time>"'),
    (re.compile(r'"target":"[^"]*"'), '"target":"<target>"'),
    (re.compile(r"0xc[0-9a-f]{9}"), "<pointer>"),
    (re.compile(r"client-[0-9a-f]{8}-[0-9a-f-]{27}"), "client-<uuid>"),
    # Durations as Go prints them. Whole seconds stay: they are TTLs.
    (re.compile(r"(?<![\w.])(?:\d+m)?(?:\d+\.\d+s|\d+(?:\.\d+)?(?:ns|µs|us|ms))(?!\w)"),
     "<duration>"),
    (re.compile(r'"took":"[^"]*"'), '"took":"<duration>"'),
]

# For `ctl(…, mask=…)`: where a snapshot lies, and what of its status depends on its pages and on
# raft indexes.
SNAPSHOT_SAVED = [(r"saved at \S+", "saved at <file>")]
SNAPSHOT_STATUS = [(r'"(hash|totalSize)":\d+', r'"\1":<n>')]


class Masker:
    """Masks the output of one run against one server."""

    def __init__(self, server):
        self.endpoints = {}
        self.add_server(server)
        self.names = server.ids()
        self.ids_named = 0
        # Those known beforehand are found however short they are.
        known = "".join(f"|{number:x}|{number}" for number in self.names)
        self.text_id = re.compile(TEXT_ID % known)

    def add_server(self, server):
        """Masks the ports of one more server."""
        self.endpoints |= server.addresses()

    def _token(self, *readings):
        """The name of an id. Where a text can be read as two, both have it from now on."""
        known = [self.names[number] for number in readings if number in self.names]
        if not known:
            self.ids_named += 1
        name = known[0] if known else f"<id{self.ids_named}>"
        for number in readings:
            self.names.setdefault(number, name)
        return name

    def _text_id(self, match):
        text = match.group(0)
        readings = [int(text, 16)] if len(text) <= HEX_DIGITS_MAX or text.startswith("0x") else []
        if text.isdecimal():
            # One decimal id in some thousands is short enough for a hexadecimal one.
            readings.append(int(text))
        return self._token(*readings)

    def _binary_id(self, match):
        number = 0
        for shift, byte in enumerate(match.group(0)):
            number |= (byte & 0x7F) << (7 * shift)
        return self._token(number).encode()

    def mask(self, output, extra=()):
        """`output` is bytes; `extra` holds further (pattern, replacement) pairs."""
        try:
            text = output.decode()
        except UnicodeDecodeError:
            text = BINARY_ID.sub(self._binary_id, output).decode("ascii", "backslashreplace")
        for endpoint, name in self.endpoints.items():
            text = text.replace(endpoint, name)
        for pattern, replacement in extra:
            text = re.sub(pattern, replacement, text)
        for pattern, replacement in RULES:
            text = pattern.sub(replacement, text)
        text = self.text_id.sub(self._text_id, text)
        # Padding of tables depends on the width of what was masked.
        lines = [re.sub(r" {2,}|-{3,}", lambda m: m.group(0)[:2], line)
                 if line.startswith(("|", "+")) else line for line in text.splitlines()]
        return lines


# For `endpoint status`: file sizes, raft indexes and the server's own version, which are ours.
STATUS_JSON = [
    (r'"(dbSize|dbSizeInUse|raftIndex|raftAppliedIndex)":\d+', r'"\1":<n>'),
    (r'"version":"[^"]*"', '"version":"<version>"'),
]
STATUS_FIELDS = [
    (r'"(DBSize|DBSizeInUse|RaftIndex|RaftAppliedIndex)" : \d+', r'"\1" : <n>'),
    (r'"Version" : "[^"]*"', '"Version" : "<version>"'),
]
STATUS_SIMPLE = [(r"(, )3\.\d+\.\d+, [\d.]+ [kMG]?B(, .*, \d+, )\d+, \d+",
                  r"\1<version>, <size>\2<n>, <n>")]
STATUS_TABLE = [(r"\| +3\.\d+\.\d+ +\| +[\d.]+ [kMG]?B +(\|.*\| +\d+ +)\| +\d+ +\| +\d+ +",
                 r"| <version> | <size> \1| <n> | <n> ")]

# For `lease timetolive`: the seconds that remain, and the attached keys, which the original lists
# in the random order of a map.
LEASE_LIFE = [
    (r"remaining\(-?\d+s\)", "remaining(<n>s)"),
    (r'"ttl":\d+', '"ttl":<n>'),
    (r'"TTL" : \d+', '"TTL" : <n>'),
    (r'"keys":\[([^\]]*)\]', lambda m: '"keys":[%s]' % ",".join(sorted(m.group(1).split(",")))),
    (r"keys\(\[([^\]]*)\]\)", lambda m: "keys([%s])" % " ".join(sorted(m.group(1).split()))),
    (r'(?m)(?:^"Key" : .*\n)+', lambda m: "".join(sorted(m.group(0).splitlines(True)))),
]
