"""The studio: networks that learn in the browser, on the real engine. `slopes play` opens it; needs the extra [studio]."""

from . import libraries as libraries
from .server import Studio as Studio
from .server import serve as serve
