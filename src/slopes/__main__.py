"""`python -m slopes`: the same as the command `slopes`."""

from __future__ import annotations

from .cli import main

if __name__ == "__main__":
    main()
