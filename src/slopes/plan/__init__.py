"""Planning: what a training takes on devices that are not there, from XLA's own analysis of its compiled step."""
