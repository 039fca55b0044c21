"""slopes on 64-bit ARM, seen from another machine: its code run under emulation, and its inner loops counted.

    emulator.py   a Debian for ARM with Python, NumPy and llvmlite, in a folder of the cache
    jobs.py       graphs compiled here for ARM, with inputs and expected results
    emulated.py   what runs under emulation
    assembly.py   inner loops in ARM's assembly
    cores.py      processors, and what share of their peak the loops of a network can reach
"""
