"""Compiled functions on XLA, through JAX: one backend, for the devices that JAX has."""
