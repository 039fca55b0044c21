"""What a computation is: interned nodes, the table of operations, walks and rewrites."""
