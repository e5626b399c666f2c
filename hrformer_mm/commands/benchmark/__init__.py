"""Ours against its peers: one process, the same weights, turn by turn."""

from .attention import AttentionBenchmark, AttentionRow, benchmark_attention
from .benchmarking import Benchmark, Row, Section, benchmark
from .options import Options
from .suite import Part, Suite, SuiteRow, benchmark_suite

__all__ = [
    'AttentionBenchmark', 'AttentionRow', 'Benchmark', 'Options', 'Part', 'Row', 'Section', 'Suite',
    'SuiteRow', 'benchmark', 'benchmark_attention', 'benchmark_suite'
]
