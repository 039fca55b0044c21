"""Running a computation: buffers, engine, threads, and the slow truth of the reference."""
