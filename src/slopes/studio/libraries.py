"""The libraries of the extra [studio]: importing this module says which one is missing."""

from __future__ import annotations

from ..extras import require

LIBRARIES = tuple(require(name, "studio", "the studio (slopes play)") for name in ("starlette", "uvicorn", "websockets"))
