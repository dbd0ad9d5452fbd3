"""Compares the records of two runs, and knows which differences are meant.

`allowed-differences.json` lists them. An entry names the command (a pattern on its label), the
clients that it concerns (all when absent), the reason, and the lines that may differ: the stream, a
pattern for the line of the original and one for ours (`null`: the line is missing).
`docs/compatibility.md` must mention each entry by its id.
"""

import difflib
import json
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent


class AllowList:
    """The listed differences, and which of them were met. `document` must mention each."""

    def __init__(self, name="allowed-differences.json", document="compatibility.md"):
        self.entries = json.loads((HERE / name).read_text())
        self.document = document
        self.met = set()

    def undocumented(self):
        """Ids that the document doesn't mention."""
        text = (HERE.parent / "docs" / self.document).read_text()
        return [entry["id"] for entry in self.entries if f"`{entry['id']}`" not in text]

    def unmet(self):
        """Ids of differences that no longer exist."""
        return [entry["id"] for entry in self.entries if entry["id"] not in self.met]

    def covers(self, client, label, stream, theirs, ours):
        """Whether this pair of lines may differ."""
        for entry in self.entries:
            is_meant = client in entry.get("clients", [client]) and re.search(
                entry["command"], label
            )
            if is_meant and any(
                stream == line["stream"]
                and _matches(line["etcd"], theirs)
                and _matches(line["ours"], ours)
                for line in entry["lines"]
            ):
                self.met.add(entry["id"])
                return True
        return False


def _matches(pattern, line):
    if pattern is None or line is None:
        return pattern is None and line is None
    return re.fullmatch(pattern, line) is not None


def _pairs(theirs, ours):
    """Differing lines side by side; None where one side has no counterpart."""
    matcher = difflib.SequenceMatcher(a=theirs, b=ours, autojunk=False)
    for tag, a_from, a_to, b_from, b_to in matcher.get_opcodes():
        if tag == "equal":
            continue
        left, right = theirs[a_from:a_to], ours[b_from:b_to]
        for index in range(max(len(left), len(right))):
            yield (left[index] if index < len(left) else None,
                   right[index] if index < len(right) else None)


def compare_step(client, theirs, ours, allow_list):
    """Descriptions of the differences of one command that aren't allowed."""
    offences = []
    if theirs.label != ours.label:
        return [f"ran {theirs.label!r} there and {ours.label!r} here"]
    for stream in ("stdout", "stderr", "exit"):
        left = [line for name, line in theirs.lines() if name == stream]
        right = [line for name, line in ours.lines() if name == stream]
        for a_line, b_line in _pairs(left, right):
            if not allow_list.covers(client, theirs.label, stream, a_line, b_line):
                offences.append(f"{stream}: etcd {_show(a_line)}  ours {_show(b_line)}")
    return offences


def _show(line):
    return "(no line)" if line is None else repr(line[:400])
