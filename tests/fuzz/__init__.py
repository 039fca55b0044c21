"""A differential fuzzer: random programs of everything public, compiled between guard pages, against eager code.

`python -m tests.fuzz --help` says how to run it. A program is Python text that builds a function and its inputs (`drawing`), from rules
for all public functions (`functions`) and layers (`layers`) and for derivatives and batches of such functions (`transforms`). It runs
eagerly, and compiled with one thread and with two; results, gradients and state must agree (`comparing`).
"""
