"""Compare the speed of slopes with PyTorch and others on this machine: `python -m benchmarks`; `--help` has commands and examples.

A workload is one training step (forward, loss, gradients, optimizer) or one forward pass in evaluation mode ("infer-..."). All
systems build its network from the same definition, with the same weights, batches and threads. slopes is compiled, except in the
"eager-..." workloads. The peers, if installed, are

    eager     PyTorch without compilation: optimizers with their defaults, inference in inference_mode
    compile   torch.compile of network and loss, with fused optimizers; needs a C++ compiler
    jax       jax.jit of the whole step, recurrent layers with lax.scan
    onnx      onnxruntime with the network as an ONNX model (opset 18), called by session.run; inference only

A peer that cannot run a workload is omitted, with a message.

Each system runs in its own process. The parent lets one process at a time run a timed round, in turn, so that all are measured
under the same conditions and never compete; it reports the median over the rounds, and the median of the ratios of paired rounds.
Before the timing, all take the same 13 steps. Then the last loss, or the first 64 numbers of the last output, must agree within
0.002 of the largest: much more than rounding errors, even in networks whose many steps accumulate them, and much less than the
effect of one wrong weight, gradient or learning rate.

How to read the table
    slopes, peers    median time of one step over all rounds
    ratio            time of the fastest peer divided by that of slopes, the median over paired rounds: 2.0 means that slopes takes
                     half the time; in brackets the quartiles of these ratios (if they are wide, the machine was busy: measure
                     again), and the peer
    bar              the ratio to reach, and whether it is met. Training is compared with the fastest of PyTorch, torch.compile and
                     JAX; inference with eager PyTorch and with onnxruntime, one line each
    share of peak    floating-point operations per second of slopes' step, divided by those of the fastest large matrix product that
                     this machine achieved with the same number of threads; small networks cannot reach it. The operations counted
                     are those of plain convolutions; Winograd's algorithm needs fewer, so the share may exceed 100%. The tables in
                     the documents have the same figure as useful GFLOP/s, without the bars
Programs are compiled into an empty cache, so that results do not depend on earlier runs, unless --warm-cache is passed.
--json FILE keeps every round of every peer, and the time of the first step; `python -m benchmarks table FILE` makes tables from it.

Other measurements have their own commands, all with fresh processes: start (start.py), memory (memory.py and once.py), contention
(contention.py) and accuracy (accuracy*.py); see these files and their --help.

Files: networks.py (the networks), workloads.py (the table of workloads and the bars), layers_*.py (layers of each system),
engine_*.py (the step of each system) and engine.py (their common part), worker.py (the process that runs rounds), measure.py (the
parent), figures.py (figures other than step times), report.py (tables and files), NOTES.md (predictions and outcomes).
"""
