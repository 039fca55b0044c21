"""Comparisons with other systems, which these tests need and slopes does not."""
