"""Parts of a program lie together also where memory is crowded: their relative addresses have 32 bits."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the gaps of memory are read from /proc")

# All gaps of the address space are filled, then 3 GiB are laid under one page that is free: no part but a small one fits above them.
CROWDED = """
import ctypes
import slopes as sl

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]

def reserve(size):
    return libc.mmap(None, size, 0, 0x4022, -1, 0)  # nobody may touch it, and nothing stands behind it

def lowest():
    starts = [int(line.split("-")[0], 16) for line in open("/proc/self/maps")]
    return min(start for start in starts if 0x7 == start >> 44)

def fill(size, low=None):
    while size >= 4096:
        above = low or lowest()
        while reserve(size) >= above:
            pass
        size >>= 1

sl.compile(lambda x: sl.exp(x))(sl.ones(4))
fill(1 << 30)
page = reserve(4096)
fill(1 << 21, reserve(3 << 30))
libc.munmap(page, 4096)
x = sl.ones((40, 30))
f = lambda x: (sl.exp(x) * sl.sin(x), sl.softmax(x, 1) * sl.erf(x), sl.log(x), x @ x.mT, sl.pow(x, x), sl.tan(x))
assert all(abs(a.numpy() - b.numpy()).max() < 1e-5 for a, b in zip(sl.compile(f)(x), f(x)))
print("right")
"""


def test_a_program_is_loaded_where_its_parts_would_lie_far_from_each_other():
    done = subprocess.run([sys.executable, "-c", CROWDED], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                          capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "right\n"), done.stderr
