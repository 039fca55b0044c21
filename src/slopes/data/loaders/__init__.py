"""What training reads: data sets in memory, batches made as they are needed, splits, and the order of examples."""
