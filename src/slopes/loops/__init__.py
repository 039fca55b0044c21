"""How a computation is executed: loop nests, schedules, vector mathematics, and their translation to LLVM."""
