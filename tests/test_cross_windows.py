"""The task of `cross_windows.py`, and its result in a slow test."""

import importlib.util
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parents[1] / 'benchmarks/cross_windows.py'
_spec = importlib.util.spec_from_file_location('cross_windows', SCRIPT)
cross_windows = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cross_windows)


def test_the_rule():
    """A row of three rotates, and a square in the corner is stable."""
    board = torch.zeros(1, 1, 8, 8)
    board[..., 3, 2:5] = board[..., 6:, 6:] = 1
    expected = torch.zeros(1, 1, 8, 8)
    expected[..., 2:5, 3] = expected[..., 6:, 6:] = 1
    assert torch.equal(cross_windows.step(board), expected)


def test_the_border():
    """Exactly the cells with one of their eight neighbors in another window are marked."""
    size, window = cross_windows.BOARD, cross_windows.WINDOW
    found = cross_windows.border()
    for y in range(size):
        for x in range(size):
            near = [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
            windows = {(a // window, b // window) for a, b in near if 0 <= a < size and 0 <= b < size}
            assert found[y, x] == (len(windows) > 1)


@pytest.mark.slow
def test_the_depthwise_convolution_wins():
    found = {variant: cross_windows.run(variant, seed=0, iterations=150) for variant in cross_windows.VARIANTS}
    best = found.pop('depth-wise convolution')
    assert best.border > 0.9 and all(best.border > other.border + 0.1 for other in found.values())
