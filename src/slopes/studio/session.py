"""A session: one engine, one thread that feeds it with messages, and frames that are dropped, not queued, when the page is slow."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from ..errors import SlopesError
from .engine import Engine, Frame
from .messages import Attached, Message

SLICE_SECONDS = 0.012  # work between two looks at the messages
FRAME_SECONDS = 1 / 60
IDLE_SECONDS = 0.25
MOST_WAITING = 256  # messages that were not handled yet
IN_FLIGHT = 2  # frames that the page has not acknowledged
JOIN_SECONDS = 10.0
FORGOTTEN_SECONDS = 900.0  # a session without a page is kept this long

Post = Callable[[Frame | dict[str, Any] | None], None]  # sends to the page, from any thread; None: another page has taken over

log = logging.getLogger(__name__)


class Session:
    """An engine and its thread. `attach` connects a page to it, `put` hands over a message, `acknowledge` says that a frame was shown.

    Without a page the engine rests, and after a quarter of an hour the session ends. Errors of slopes go to the page; after any other,
    which is logged, the engine rests until the next message.
    """

    def __init__(self, make: Callable[[], Engine], name: str) -> None:
        self.make, self.name = make, name
        self.messages: queue.Queue[Message | None] = queue.Queue(MOST_WAITING)
        self.post: Post | None = None
        self.unacknowledged = 0
        self.frames = 0
        self.lock = threading.Lock()
        self.closed = threading.Event()
        self.last_used = time.monotonic()
        self.thread = threading.Thread(target=self.run, name=f"studio {name}", daemon=True)
        self.thread.start()

    # For the page's connection

    def attach(self, post: Post, resumed: bool) -> None:
        """A page is there, and shows nothing yet; a page that was there before gets nothing more."""
        with self.lock:
            before, self.post, self.unacknowledged = self.post, post, 0
        if before is not None:
            before(None)
        self.put(Attached(resumed))

    def keep(self) -> bool:
        """Whether it goes on; if so, for another quarter of an hour without a page."""
        with self.lock:
            self.last_used = time.monotonic()
            return not self.closed.is_set()

    def detach(self, post: Post) -> None:
        """The page is gone, unless another one has taken over."""
        with self.lock:
            if self.post == post:  # bound methods are equal, not identical
                self.post, self.last_used = None, time.monotonic()

    def put(self, message: Message) -> bool:
        """Hand over a message; False when too many wait already."""
        try:
            self.messages.put_nowait(message)
        except queue.Full:
            return False
        return True

    def acknowledge(self) -> None:
        """The page has shown a frame."""
        with self.lock:
            self.unacknowledged = max(0, self.unacknowledged - 1)

    def close(self) -> None:
        """End the thread after what it is doing."""
        self.closed.set()
        self.put(Attached())  # wakes it up

    def join(self) -> None:
        """Wait for the thread's end."""
        self.thread.join(JOIN_SECONDS)

    # The thread

    def run(self) -> None:
        """Messages, work and frames, until the session is closed."""
        engine: Engine | None = None
        try:
            engine = self.make()
            self.serve(engine)
        except SlopesError as error:
            self.send(error_message(error))
        except Exception as error:
            log.exception("the session %s ended", self.name)
            self.send(unexpected(error))
        finally:
            self.closed.set()
            if engine is not None:
                engine.close()

    def serve(self, engine: Engine) -> None:
        """The loop of the thread."""
        more, due = False, 0.0
        while not self.ends():
            message = self.next_message(0.0 if more else IDLE_SECONDS)
            while message is not None and not self.closed.is_set():
                self.attempt(self.reply, engine, message)
                message = self.next_message(0.0)
            attached = self.post is not None
            more = bool(attached and self.attempt(engine.step, SLICE_SECONDS))
            now = time.monotonic()
            if attached and now >= due and self.unacknowledged < IN_FLIGHT:
                due = now + FRAME_SECONDS
                self.attempt(self.send_frame, engine)

    def ends(self) -> bool:
        """Whether it is closed, or is now, as no page has come back for long."""
        with self.lock:
            if self.post is None and time.monotonic() - self.last_used > FORGOTTEN_SECONDS:
                self.closed.set()
            return self.closed.is_set()

    def next_message(self, seconds: float) -> Message | None:
        """The next message, waiting this long for it."""
        try:
            return self.messages.get(timeout=seconds) if seconds else self.messages.get_nowait()
        except queue.Empty:
            return None

    def attempt(self, action: Callable[..., Any], *args: Any) -> Any:
        """The result of an action of the engine; None, and a message to the page, when it fails."""
        try:
            return action(*args)
        except SlopesError as error:
            self.send(error_message(error))
        except Exception as error:
            log.exception("the session %s goes on after an error", self.name)
            self.send(unexpected(error))
        return None

    def reply(self, engine: Engine, message: Message) -> None:
        """Let the engine handle a message, and send its reply."""
        frame = engine.handle(message)
        if frame is not None:
            self.send(frame)

    def send_frame(self, engine: Engine) -> None:
        """Send what is to be shown now, if anything changed."""
        frame = engine.frame()
        if frame is None:
            return
        with self.lock:
            self.unacknowledged += 1
            self.frames += 1
        self.send(Frame({**frame.header, "frame": self.frames}, frame.arrays))

    def send(self, message: Frame | dict[str, Any]) -> None:
        """Send to the page, if there is one."""
        post = self.post
        if post is not None:
            post(message)


def error_message(error: SlopesError) -> dict[str, Any]:
    """An expected error, for the page, whose user has no line of code."""
    where = ", ".join(part for part in error.where.split(", ") if not part.startswith(("at the beginning of thread", "at thread")))
    return {"kind": "error", "what": error.what, "where": where, "why": error.why, "repair": error.repair}


def unexpected(error: Exception) -> dict[str, Any]:
    """An error that should not happen, for the page."""
    return {"kind": "error", "what": f"{type(error).__name__}: {error}", "where": "in the studio", "why": "this is a mistake in slopes",
            "repair": "the terminal has the whole report; reload the page to go on"}
