"""The page of sequences: a network that reads and writes characters, and what happens inside it over time."""
