"""The barrier at which the threads of a program wait for each other."""

from __future__ import annotations

from .target import COUNT, GENERATION, NEXT, SPINS, STOP, YIELD, Target


def barrier_text(target: Target) -> str:
    """All threads meet; the last one to arrive resets the counters and decides, for all alike, whether an error stops the program."""
    return f"""
define internal i1 @barrier(ptr %context, i64 %threads) noinline nounwind {{
entry:
  %error = load atomic i32, ptr %context monotonic, align 4
  %next = getelementptr inbounds i8, ptr %context, i64 {NEXT}
  %alone = icmp eq i64 %threads, 1
  br i1 %alone, label %single, label %meet
single:
  store i64 0, ptr %next
  %failed = icmp ne i32 %error, 0
  ret i1 %failed
meet:
  %count = getelementptr inbounds i8, ptr %context, i64 {COUNT}
  %generation = getelementptr inbounds i8, ptr %context, i64 {GENERATION}
  %stop = getelementptr inbounds i8, ptr %context, i64 {STOP}
  %before = load atomic i64, ptr %generation acquire, align 8
  %arrived = atomicrmw add ptr %count, i64 1 acq_rel
  %others = sub i64 %threads, 1
  %last = icmp eq i64 %arrived, %others
  br i1 %last, label %release, label %wait
release:
  %seen = load atomic i32, ptr %context monotonic, align 4
  store i32 %seen, ptr %stop
  store i64 0, ptr %next
  store i64 0, ptr %count
  %after = add i64 %before, 1
  store atomic i64 %after, ptr %generation release, align 8
  br label %done
wait:
  %spins = phi i64 [ 0, %meet ], [ %more, %again ]
  %now = load atomic i64, ptr %generation acquire, align 8
  %moved = icmp ne i64 %now, %before
  br i1 %moved, label %done, label %pause
pause:
  {target.pause}
  %more = add i64 %spins, 1
  %tired = icmp sgt i64 %spins, {SPINS}
  br i1 %tired, label %rest, label %again
rest:
  %slot = getelementptr inbounds i8, ptr %context, i64 {YIELD}
  %function = load ptr, ptr %slot
  call void %function()
  br label %again
again:
  br label %wait
done:
  %verdict = load i32, ptr %stop
  %halt = icmp ne i32 %verdict, 0
  ret i1 %halt
}}
"""
