"""Bytes that have to be escaped, in every format, and large answers."""

FORMATS = ("simple", "fields", "json", "protobuf")

VALUES = {
    "control": bytes(range(1, 32)) + b"\x7f",
    "quotes": b"it's a \"quoted\" back\\slash `tick`",
    "html": b"<a href='x'>&amp;</a>",
    "umlauts": "größe 中文 \u00a0\u2028\u200b\ufeff".encode(),
    "emoji": "\U0001f600\U000e0001\u0301".encode(),
    "broken": b"\xff\xfe\xc3(\xe2\x82",
}


def scenario_bytes(s):
    for name, value in VALUES.items():
        s.ctl([b"put", value, value], label=f"put {name}")
        for form in FORMATS:
            s.ctl([b"get", value, b"-w", form.encode()], label=f"get {name} -w {form}")
        s.ctl([b"get", value, b"--hex"], label=f"get {name} --hex")
        s.ctl([b"del", value, b"--prev-kv", b"-w", b"fields"], label=f"del {name}")
    watch = s.start([b"watch", b"", b"--prefix", b"--rev=1", b"--prev-kv", b"-w", b"json"],
                    label="watch all of them")
    watch.wait_lines(12)
    watch.stop()


def scenario_many_keys(s):
    for part in range(20):
        puts = [f"put many/{part:02}/{number:03} {'v' * 900}" for number in range(100)]
        s.ctl("txn", stdin="\n" + "\n".join(puts) + "\n\n\n", secret=True)
    for form in FORMATS:
        s.ctl(f"get many --prefix -w {form}", label=f"get 2000 keys -w {form}")
    s.ctl("get many --prefix --keys-only --limit=10 --order=DESCEND")
