"""How fast slopes is beside PyTorch and others, on this machine: `python -m benchmarks`; `--help` has commands and examples.

A workload is one training step (forward, loss, gradients, optimizer) or one forward pass in the mode of use ("infer-..."), of a
network that all systems build from the same definition, with the same weights, batches and threads. Slopes runs it compiled,
in the "eager-..." workloads as it is. Peers, those of them that are installed, are

    eager     PyTorch as it is: training with its optimizers' defaults, inference in inference_mode
    compile   torch.compile of network and loss, with its fused optimizers; needs a C++ compiler
    jax       jax.jit of the whole step, recurrent layers with lax.scan
    onnx      onnxruntime with the network as an ONNX model (opset 18), called by session.run; inference only

A peer that cannot run a workload is left out of it, and the run says so.

Each system has a process of its own. The parent tells one of them at a time to run a timed round, in turn, so that all see the
same machine and never share it; it reports the median over the rounds, and the median of the ratios of paired rounds. Before
anything is timed, all take the same 13 first steps. Then the last loss, or the first 64 numbers of the last output, must agree
within 0.002 of the largest: that is far more than rounding moves them, also in networks whose many steps add it up, and far less
than one wrong weight, gradient or learning rate would.

How to read the table
    slopes, peers    median time of one step over all rounds
    ratio            time of the fastest of the bar's peers divided by that of slopes, the median over paired rounds: 2.0 means that
                     slopes takes half the time; behind it the quartiles of these ratios (wide ones mean a busy machine: measure
                     again), and the peer
    bar              the ratio to reach, then whether it is met. Training and the networks in it are measured against the fastest of
                     PyTorch, torch.compile and JAX; inference against PyTorch as it is and against onnxruntime, a line for each
    share of peak    floating-point operations of slopes' step / its time / the fastest large matrix product that this machine was
                     seen to do with as many threads; small networks cannot come near it. The operations counted are those of plain
                     convolutions; Winograd's algorithm needs fewer, so that the share may exceed 100%. The documents' tables
                     have the same figure as useful GFLOP/s, without the bars
Compiled programs come from an empty cache, so that results do not depend on what ran before, unless --warm-cache is given.
--json FILE keeps every round of every peer, and the first step's time; `python -m benchmarks table FILE` makes tables from it.

The measures beside the step are commands of their own, all from fresh processes: start (start.py), memory (memory.py and once.py),
contention (contention.py) and accuracy (accuracy*.py); what each does stands in its file and in its --help.

Files: networks.py (the networks), workloads.py (the table of what is measured, and the bars), layers_*.py (what networks are built
from in each system), engine_*.py (the step in each system) and engine.py (what they have in common), worker.py (a process that runs
rounds when told), measure.py (the parent), figures.py (values that are no times of steps), report.py (tables and files), NOTES.md
(what was predicted, and what came out).
"""
