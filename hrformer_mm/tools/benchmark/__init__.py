"""Ours against its peers: one process, the same weights, turn by turn."""

from .attention import AttentionBenchmark, AttentionRow, benchmark_attention
from .options import Options
from .run import Benchmark, Row, Section, benchmark

__all__ = [
    'AttentionBenchmark', 'AttentionRow', 'Benchmark', 'Options', 'Row', 'Section', 'benchmark', 'benchmark_attention'
]
