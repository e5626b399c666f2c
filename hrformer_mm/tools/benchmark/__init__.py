"""Ours against its peers: one process, the same weights, turn by turn."""

from .options import Options
from .run import Benchmark, Row, Section, benchmark

__all__ = ['Benchmark', 'Options', 'Row', 'Section', 'benchmark']
