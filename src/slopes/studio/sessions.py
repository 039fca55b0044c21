"""The sessions of a studio: opened, resumed by their pages after a pause, and closed when nobody comes back."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from .engine import Context
from .pages import Page
from .session import Session


@dataclass
class Opened:
    """A session and its page."""

    page: Page
    session: Session


class Sessions:
    """At most `most` sessions; those that no page shows end after a quarter of an hour, or are closed when there is no room."""

    def __init__(self, most: int = 32) -> None:
        self.most = most
        self.opened: dict[str, Opened] = {}

    def open(self, page: Page, name: str, context: Context) -> tuple[str, Session | None, bool]:
        """(name, session, whether it was there before); no session when all are in use."""
        self.forget()
        known = self.opened.get(name)
        if known is not None and known.page.name == page.name and known.session.keep():
            return name, known.session, True
        if len(self.opened) >= self.most and not self.make_room():
            return "", None, False
        name = secrets.token_urlsafe(18)
        self.opened[name] = Opened(page, Session(lambda: page.make(context), page.name))
        return name, self.opened[name].session, False

    def find(self, name: str) -> tuple[Session | None, Page | None]:
        """A session and its page, if it is open."""
        known = self.opened.get(name)
        return (None, None) if known is None else (known.session, known.page)

    def forget(self) -> None:
        """Drop the sessions that have ended."""
        for name, opened in list(self.opened.items()):
            if opened.session.closed.is_set():
                del self.opened[name]

    def make_room(self) -> bool:
        """Close the session that no page has shown for the longest time; whether there was one."""
        resting = {name: opened.session.last_used for name, opened in self.opened.items() if opened.session.post is None}
        if not resting:
            return False
        self.remove(min(resting, key=lambda name: resting[name]))
        return True

    def remove(self, name: str) -> None:
        """Close one session."""
        self.opened.pop(name).session.close()

    def close(self) -> None:
        """Close all, and wait for their threads."""
        sessions = [opened.session for opened in self.opened.values()]
        for session in sessions:
            session.close()
        for session in sessions:
            session.join()
        self.opened.clear()
