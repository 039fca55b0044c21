"""From a graph to LLVM code, in stages; each is a value that the next one reads, and none is changed later.

graph      nodes after the graph passes (`slopes.passes`)
groups     which nodes share a loop nest, and which values get memory: passes/fuse.py
kernels    one loop nest each, by kind, with loops, scalar expressions and stores: kernels.py, planned by plan_nest.py,
           plan_contract.py, mixing.py, special.py; a scan is a loop of kernels: region.py
schedules  how the loops of a kernel are executed: vectors, blocks, tiles: schedule.py, chosen by cost in choose.py
storage    phases between which threads meet, and an offset in one arena for each buffer: pipeline.py, passes/storage.py
LLVM       one function for each distinct kernel, and the program that calls them: scope.py, emit_nest.py, emit_reduce.py,
           emit_contract.py, mixing.py, special.py, kernel_functions.py, program_writer.py; written with builder.py and memory.py

`LOOP_PASSES` in pipeline.py lists the passes from groups to storage in their order. Code is written last, and changes nothing.
"""
