"""How fast slopes is beside PyTorch, on this machine: `python -m benchmarks [NAME...]`.

Every workload is one training step (forward, loss, gradients, optimizer) of a network that both systems build from the same
definition, with the same weights, batches and threads. Each system has a process of its own. The parent tells one of them at a
time to run a timed round, in turn, so that both see the same machine and never share it; it reports the median over the
rounds, the quartiles, the ratio of the two medians, and the arithmetic done per second as a share of the fastest large matrix
product that this machine was seen to do with as many threads. Before anything is timed, both take the same first steps and
their losses must agree.

How to read the table
    slopes, torch    median time of one step over all rounds
    ratio            torch's median divided by slopes': 2.0 means that slopes takes half the time
    spread           lower and upper quartile of the ratio of neighbouring rounds: a wide one means a busy machine, measure again
    share of peak    floating-point operations of the step / its time / the measured peak; small networks cannot come near it
    first step       from the call to the result of the very first step: in slopes, tracing and compiling (from an empty cache
                     unless --warm-cache is given)

Files: workloads.py (what is measured), engine_slopes.py and engine_torch.py (one step in each system), worker.py (a process that
runs rounds when told), measure.py (the parent), report.py (table and JSON), NOTES.md (what was predicted, and what came out).
"""
