"""Test what carries information across windows: HRFormer's blocks learn a step of Conway's Game of Life.

    python benchmarks/cross_windows.py [--iterations N] [--seeds N]

The next state of a cell depends on its eight neighbors. At the border of a window, some of these are in other windows.
The network consists of two blocks between 1x1 convolutions, since in a whole HRFormer, the stem and the fusion of the
branches also carry information across windows. Prints a table of the accuracy on boards outside of the training data,
for all cells and for cells with a neighbor in another window: the mean over the seeds, the lowest and the highest.
"""

import argparse
import time
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hrformer_mm.layers import HRFormerBlock

BOARD, WINDOW, CHANNELS, HEADS, BATCH = 21, 7, 32, 2, 16
# The variants of tables 7 and 9 in the paper. Only the second block is shifted.
VARIANTS: dict[str, dict[str, bool]] = {
    'depth-wise convolution': dict(with_dwconv=True, shifted=False),
    'shifted windows': dict(with_dwconv=False, shifted=True),
    'neither': dict(with_dwconv=False, shifted=False),
}


class Accuracy(NamedTuple):
    """Share of correct cells, among all and among those with a neighbor in another window."""

    every: float
    border: float


def boards(count: int, generator: torch.Generator) -> Tensor:
    """Return random boards (N, 1, BOARD, BOARD) of 0 and 1, with 40 % of the cells alive."""
    return (torch.rand(count, 1, BOARD, BOARD, generator=generator) < 0.4).float()


def step(board: Tensor) -> Tensor:
    """Return the next state of boards (N, 1, H, W).

    A cell lives if it has three living neighbors, or two and is alive. Cells outside of the board are dead.
    """
    kernel = torch.ones(1, 1, 3, 3)
    kernel[0, 0, 1, 1] = 0
    neighbors = F.conv2d(board, kernel, padding=1)
    return ((neighbors == 3) | ((neighbors == 2) & (board == 1))).float()


def border() -> Tensor:
    """Return a mask (BOARD, BOARD) of the cells with a neighbor in another window."""
    window = torch.arange(BOARD) // WINDOW
    edge = torch.zeros(BOARD, dtype=torch.bool)
    edge[1:] |= window[1:] != window[:-1]
    edge[:-1] |= window[1:] != window[:-1]
    return edge[:, None] | edge[None, :]


def network(with_dwconv: bool, shifted: bool) -> nn.Sequential:
    blocks = [
        HRFormerBlock(
            CHANNELS,
            HEADS,
            (WINDOW, WINDOW),
            4,
            0.0,
            dict(type='BN'),
            with_dwconv=with_dwconv,
            shifted=second and shifted,
        )
        for second in (False, True)
    ]
    return nn.Sequential(nn.Conv2d(1, CHANNELS, 1), *blocks, nn.Conv2d(CHANNELS, 1, 1))


def run(variant: str, seed: int, iterations: int = 250) -> Accuracy:
    """Train a variant from scratch, and test it on other boards."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = network(**VARIANTS[variant])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=iterations)
    for _ in range(iterations):
        board = boards(BATCH, generator)
        loss = F.binary_cross_entropy_with_logits(model(board), step(board))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()
    board = boards(256, generator)
    with torch.no_grad():
        right = ((model(board) > 0) == (step(board) == 1)).float().mean((0, 1))
    return Accuracy(right.mean().item(), right[border()].mean().item())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--iterations', type=int, default=250)
    parser.add_argument('--seeds', type=int, default=3)
    args = parser.parse_args()
    print('| | all cells | next to another window | parameters | seconds |\n| --- | --- | --- | --- | --- |')
    for variant, options in VARIANTS.items():
        start = time.monotonic()
        found = [run(variant, seed, args.iterations) for seed in range(args.seeds)]
        parameters = sum(p.numel() for p in network(**options).parameters())
        print(
            f'| {variant} | {cell([a.every for a in found])} | {cell([a.border for a in found])} | {parameters:,} | '
            f'{time.monotonic() - start:.0f} |',
            flush=True,
        )


def cell(values: list[float]) -> str:
    return f'{100 * sum(values) / len(values):.2f} ({100 * min(values):.2f} to {100 * max(values):.2f})'


if __name__ == '__main__':
    main()
