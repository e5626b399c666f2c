import json

import pytest
import torch
from click.testing import CliRunner

from hrformer_mm.cli import main
from hrformer_mm.ops import set_attention_backend, window_attention
from hrformer_mm.commands.benchmark import Options, benchmark_attention, machine
from hrformer_mm.commands.benchmark.attention import PEER, mmpose_way
from hrformer_mm.commands.benchmark.contender import Contender
from hrformer_mm.commands.benchmark.benchmarking import _operations


@pytest.fixture(autouse=True)
def short_floors(monkeypatch):
    monkeypatch.setattr(machine, 'SECONDS', 0.01)


def test_rows():
    result = benchmark_attention(Options('tiny', ((64, 96), ), attention=True, runs=1))
    assert set_attention_backend('auto') == 'auto', 'the backend is set back'
    assert [(row.window, row.what) for row in result.rows if row.name == PEER] == [
        (7, 'forward'), (7, 'forward and backward'), (15, 'forward'), (15, 'forward and backward')]
    assert {row.name for row in result.rows} == {PEER, 'hrformer_mm, batched', 'hrformer_mm, fused'}
    for row in result.rows:
        assert 0 < row.lowest_ms <= row.median_ms <= row.highest_ms and row.of_floor > 0 and row.error < 1e-5
        assert row.name != PEER or row.times_as_fast == 1


@pytest.mark.parametrize('size', [(7, 14), (10, 9)])
def test_mmpose_way_is_window_attention(size):
    qkv, value, bias = torch.randn(2, *size, 48), torch.randn(48), torch.randn(2, 49, 49)
    out = mmpose_way(qkv, value, bias, 2, 7)
    assert torch.allclose(out, window_attention(qkv, value, 2, (7, 7), bias), atol=1e-6)


def run(*arguments):
    return CliRunner().invoke(main, ['benchmark', '--attention', '--arch', 'tiny', '--runs', '1',
                                     *map(str, arguments)])


def test_command():
    result = run('--size', 32, 32, '--dtype', 'bf16')
    assert result.exit_code == 0, result.output
    assert all(text in result.stdout for text in ('15x15, forward and backward', PEER, 'window attention', 'GFLOP/s'))
    result = run('--size', 32, 32, '--json')
    assert len(json.loads(result.stdout)['rows']) == 12


@pytest.mark.parametrize('arguments', [('--train', ), ('--compile', ), ('--size', 32, 32, '--size', 64, 64),
                                       ('--picture', 'a.png')])
def test_wrong_options(arguments):
    result = run(*arguments)
    assert result.exit_code == 2 and 'out' in result.output and 'attention' in result.output


@pytest.mark.parametrize('train', [False, True])
def test_operations_of_the_kernels_are_counted(train):
    """As many as those of the formula."""
    pytest.importorskip('triton')
    counts = []
    for name in ('triton', 'plain'):
        qkv, value, bias = (torch.randn(s, requires_grad=train) for s in ((1, 5, 6, 48), (48, ), (2, 9, 9)))

        def step():
            out = window_attention(qkv, value, 2, (3, 3), bias)
            if train:
                out.sum().backward()

        previous = set_attention_backend(name)
        try:
            counts.append(_operations(Contender(name, torch.nn.Identity(), step)))
        finally:
            set_attention_backend(previous)
    assert counts[0] == counts[1] == (6 if train else 2) * 2 * 6 * 6 * 9 * 16
