"""The lock under which modules are loaded on demand: it is acquired before a fork, so that no child inherits half of a module."""

from __future__ import annotations

import os
import threading

loading = threading.RLock()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=loading.acquire, after_in_parent=loading.release, after_in_child=loading.release)
