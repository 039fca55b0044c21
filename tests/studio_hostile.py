"""Malformed and hostile messages for the studio: a session must refuse them all, and still answer.

`python -m tests.studio_hostile 100000` sends so many to a studio of its own, and prints what it used.
"""

from __future__ import annotations

import contextlib
import json
import random
import resource
import sys
import time
from collections.abc import Iterator

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from slopes.studio import Studio
from slopes.studio.app import MOST_BAD

VALID = {
    "configure": {"settings": {"data": "xor", "layers": [{"width": 2}], "count": 40}}, "play": {"on": False, "speed": 1},
    "seek": {"step": 3}, "edit": {"change": {"value": 0.5, "layer": 0, "row": 0, "column": 0}}, "undo": {}, "show": {"gradients": True},
    "take": {"what": "link"}, "read": {"text": "a,b,c\n1,2,x\n3,4,y\n5,6,x\n7,9,y", "columns": []}, "advance": {"unit": "step"},
    "branch": {}}
VALUES = (None, True, False, -1, 0, 1, 2**31, 2**63, -(2**70), 0.5, 1e308, -1e-320, "", "x" * 300, "\x00", "\ud800", "__class__",
          "../../etc/passwd", "<script>alert(1)</script>", "'; DROP TABLE", "${7*7}", "import os", [], [[]], {}, {"a": 1}, [1, 2, 3],
          ["x1"] * 50, {"kind": "play"})
TEXTS = ("", " ", "null", "true", "[]", "{}", '"play"', "NaN", "{", "}", '{"kind"', '{"kind":"play","on":tru',
         '{"kind":"play","kind":"play"}',
         "[" * 100_000, '{"a":' * 50_000, "[" * 11 + "]" * 11, '"' + "\\\"" * 50_000, '{"kind":"play","on":true,"speed":NaN}', "\ufeff{}",
         '{"kind":"play","on":true,"speed":1e999}', '{"kind":"play","on":true,"speed":' + "9" * 5000 + "}", '{"kind":"' + "é" * 1000 + '"}',
         '{"kind":"configure","settings":' + '{"settings":' * 30 + "1" + "}" * 31, "\x00\x01\x02", "kind=play", '{"kind":["play"]}')


def hostile(count: int, seed: int = 0) -> Iterator[str]:
    """Messages: broken texts, valid ones with one value or name replaced, cut or with letters changed."""
    rng = random.Random(seed)
    for i in range(count):
        if i % 4 == 0:
            yield TEXTS[(i // 4) % len(TEXTS)]
            continue
        kind = rng.choice(list(VALID))
        text = json.dumps({"kind": kind, **mutated(VALID[kind], rng)})
        if i % 4 == 3:
            cut = rng.randrange(len(text))
            text = text[:cut] + rng.choice(['"', "{", "]", "\\", "\u2028", "0", ""]) + text[cut + rng.randrange(3):]
        yield text


def mutated(value: object, rng: random.Random) -> dict:
    """A copy in which one value at some depth is replaced, dropped, or has an unknown neighbour."""
    copy = json.loads(json.dumps(value))
    inner = copy
    while isinstance(inner, dict) and inner and rng.random() < 0.7:
        name = rng.choice(list(inner))
        if isinstance(inner[name], dict) and rng.random() < 0.6:
            inner = inner[name]
            continue
        action = rng.randrange(3)
        if action == 0:
            inner[name] = rng.choice(VALUES)
        elif action == 1:
            del inner[name]
        else:
            inner[str(rng.choice(VALUES))[:80].encode("utf-8", "replace").decode()] = rng.choice(VALUES)
        break
    return copy


class Attacker:
    """A client that reconnects to its session whenever the studio has had enough of it."""

    def __init__(self, studio: Studio, page: str = "playground") -> None:
        self.studio, self.page, self.session, self.closed = studio, page, "", 0
        self.stack = contextlib.ExitStack()
        self.socket = self.open()

    def open(self) -> ClientConnection:
        """A new connection to the same session."""
        origin = f"http://127.0.0.1:{self.studio.port}"
        uri = f"ws://127.0.0.1:{self.studio.port}/ws/{self.page}?token={self.studio.token}&session={self.session}"
        self.stack.close()
        options = {"origin": origin, "max_size": 1 << 26, "compression": None, "close_timeout": 0.1}  # it leaves what it has not read
        socket = self.stack.enter_context(connect(uri, **options))  # type: ignore[arg-type]
        self.session = json.loads(socket.recv(timeout=30))["id"]
        return socket

    def send(self, text: str) -> None:
        """Send a message; surrogates cannot be sent at all."""
        raw = text.encode("utf-8", "replace").decode()
        try:
            self.socket.send(raw)
            self.drain()
        except ConnectionClosed:
            self.closed += 1
            self.socket = self.open()

    def drain(self) -> None:
        """Take what the studio has sent so far, and acknowledge frames."""
        while True:
            try:
                message = self.socket.recv(timeout=0)
            except TimeoutError:
                return
            if isinstance(message, bytes):
                self.socket.send('{"kind":"shown"}')

    def answers(self) -> bool:
        """Whether the session still does what a page asks."""
        self.socket = self.open()
        self.socket.send(json.dumps({"kind": "configure", "settings": {"data": "xor", "seed": 7, "layers": []}}))
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            message = self.socket.recv(timeout=120)
            if isinstance(message, bytes):
                size = int.from_bytes(message[:4], "little")
                header = json.loads(message[4 : 4 + size])
                if header["kind"] == "network" and header["settings"]["seed"] == 7:
                    return True
        return False


def attack(studio: Studio, count: int) -> tuple[bool, int]:
    """Send the messages; (whether the session answers afterwards, how often the connection was closed)."""
    attacker = Attacker(studio)
    for text in hostile(count):
        attacker.send(text)
    answers = attacker.answers()
    attacker.stack.close()
    return answers, attacker.closed


def main(count: int) -> None:
    """Attack a studio in this process, and print memory before and after."""
    with Studio() as studio:
        attack(studio, 2000)
        before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
        answers, closed = attack(studio, count)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print(f"{count:,} messages in {time.perf_counter() - started:.0f} s: the session {'answers' if answers else 'is dead'}; the "
              f"connection was closed {closed:,} times (after {MOST_BAD} refused messages each); peak memory grew by {grown:.1f} MiB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
