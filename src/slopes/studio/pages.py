"""The pages of the studio: name, title, engine and messages of each.

A page is four things: messages (dataclasses, see messages.py), an engine (see engine.py), an entry of PAGES, and a script
static/js/pages/NAME.js with `export function mount(root, connection, address)`, whose styles are static/css/NAME.css. The script gets
the empty element of the page, a Connection (js/connection.js: send, onframe, onsession, upload), and the page's part of the address
(state, setState, link, notify); it returns {close, restore(state)}, both optional. Elements are made with `h` and `s` of js/dom.js:
innerHTML, inline scripts and style attributes are refused by the browser. An element with `data-tip` has that text as its tooltip;
`data-docs` names a section of the help, js/help/NAME.js.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .circuit.engine import CircuitEngine
from .circuit.messages import MESSAGES as CIRCUIT_MESSAGES
from .engine import Context, Engine
from .messages import Message
from .pictures.engine import PicturesEngine
from .pictures.messages import MESSAGES as PICTURES_MESSAGES
from .playground.messages import MESSAGES as PLAYGROUND_MESSAGES
from .runs.engine import RunsEngine
from .runs.messages import MESSAGES as RUNS_MESSAGES
from .sequences.engine import SequencesEngine
from .sequences.messages import MESSAGES as SEQUENCES_MESSAGES
from .user_playground import make_playground


@dataclass(frozen=True)
class Page:
    """A page: its script is static/js/pages/NAME.js, its connection /ws/NAME.

    make      the engine of a session, from what the session was opened for
    messages  the kinds of messages that the page may send
    """

    name: str
    title: str
    make: Callable[[Context], Engine]
    messages: tuple[type[Message], ...]


PAGES = {page.name: page for page in (
    Page("playground", "Playground", make_playground, PLAYGROUND_MESSAGES),
    Page("pictures", "Pictures", PicturesEngine, PICTURES_MESSAGES),
    Page("sequences", "Sequences", SequencesEngine, SEQUENCES_MESSAGES),
    Page("circuit", "Circuit", CircuitEngine, CIRCUIT_MESSAGES),
    Page("runs", "Runs", RunsEngine, RUNS_MESSAGES),
)}
