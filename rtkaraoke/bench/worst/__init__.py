"""Hunting the worst hop: one small experiment for each thing that may make a hop late, family by family.

Run by ``benchmarks/worst_case.py``; ``docs/worst-case.md`` says what was found and what the engine does about it.
"""
