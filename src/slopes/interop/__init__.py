"""Windows to other systems: files that they write and read."""
