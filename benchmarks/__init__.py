"""How fast slopes is beside PyTorch and others, on this machine: `python -m benchmarks [NAME...] [--peers compile,jax]`.

A workload is one training step (forward, loss, gradients, optimizer) or one forward pass in the mode of use ("infer-..."), of a
network that all systems build from the same definition, with the same weights, batches and threads. Slopes runs it compiled,
in the "eager-..." workloads as it is. Peers are PyTorch as it is (training with its optimizers' defaults, inference in
inference_mode) and, if asked for and installed, "compile" (torch.compile of network and loss, with its fused optimizers) and
"jax" (jax.jit of the whole step; dense and convolutional classifiers only). A peer that cannot run a workload is left out of it.

Each system has a process of its own. The parent tells one of them at a time to run a timed round, in turn, so that all see the
same machine and never share it; it reports the median over the rounds, the quartiles, the ratio of the medians of slopes and the
fastest peer, and the arithmetic done per second as a share of the fastest large matrix product that this machine was seen to do
with as many threads. Before anything is timed, all take the same 13 first steps. Then the last loss, or the first 64 numbers of
the last output, must agree within 0.002 of the largest: that is far more than rounding moves them, also in networks whose many
steps add it up, and far less than one wrong weight, gradient or learning rate would.

How to read the table
    slopes, peer     median time of one step over all rounds: slopes', and that of the fastest peer, which is named beside it
    ratio            the peer's median divided by slopes': 2.0 means that slopes takes half the time
    spread           lower and upper quartile of the ratio of neighbouring rounds: a wide one means a busy machine, measure again
    share of peak    floating-point operations of the step / its time / the measured peak; small networks cannot come near it
    first step       from the call to the result of the very first step: in slopes, tracing and compiling (from an empty cache
                     unless --warm-cache is given)
--json FILE has every round of every peer.

Files: networks.py (the networks), workloads.py (the table of what is measured), layers_*.py (what a system lacks of the layers'
common names), engine_*.py (the step in each system) and engine.py (what they have in common), worker.py (a process that runs
rounds when told), measure.py (the parent), report.py (table and JSON), NOTES.md (what was predicted, and what came out).
"""
