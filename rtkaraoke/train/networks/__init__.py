"""Architectures, one module each. Every one runs whole sequences and single steps with the same code."""
