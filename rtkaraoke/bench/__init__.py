"""Measurements of time, load and loss, for the command line and for the scripts in ``benchmarks/``."""
