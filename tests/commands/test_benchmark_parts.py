import torch
from torch import nn

import hrformer_mm  # noqa: F401
from hrformer_mm.deploy.packed_conv import PackedConv
from hrformer_mm.commands.benchmark.machine import copy_bandwidth, gemm_rate
from hrformer_mm.commands.benchmark.memory import held_bytes, peak_bytes
from hrformer_mm.commands.benchmark.benchmarking import WARM_UP, take_turns

MIB = 2**20


def block(mib):
    return torch.empty(mib * MIB, dtype=torch.uint8)


def test_peak_of_known_blocks():

    def step():
        a, b = block(1), block(2)
        del a
        c = block(4)
        del b, c
        block(5)

    assert peak_bytes(step, 'cpu') == 6 * MIB
    assert peak_bytes(lambda: block(7), 'cpu') == 7 * MIB
    assert peak_bytes(lambda: None, 'cpu') == 0


def test_peak_leaves_out_what_was_there_before():
    kept = [block(8)]

    def step():
        kept.clear()
        return block(3)

    assert peak_bytes(step, 'cpu') == 3 * MIB


def test_peak_of_a_training_step():
    """Three exponentials of a block of 1 MiB: with a graph every result stays, without one two at a time."""
    x = torch.ones(MIB // 4, requires_grad=True)
    with_graph = peak_bytes(lambda: x.exp().exp().exp(), 'cpu')
    with torch.no_grad():
        without = peak_bytes(lambda: x.exp().exp().exp(), 'cpu')
    assert with_graph == 3 * MIB and without == 2 * MIB


def test_held_bytes_count_shared_memory_once_and_packed_weights():
    layer = nn.Linear(8, 4, bias=False)
    shared = nn.Linear(8, 4, bias=False)
    shared.weight = layer.weight
    model = nn.Sequential(layer, shared, nn.BatchNorm1d(4))
    assert held_bytes(model) == 4 * (32 + 4 * 4) + 8
    packed = PackedConv(nn.Conv2d(16, 32, 1)).eval()
    assert held_bytes(packed) == 4 * (16 * 32 + 32)
    if torch.backends.mkldnn.is_available():
        with torch.no_grad():
            packed(torch.randn(1, 16, 8, 8))
        assert held_bytes(packed) == 4 * (2 * 16 * 32 + 32)


def test_contenders_take_turns():
    calls = []
    times = take_turns([lambda: calls.append('a'), lambda: calls.append('b')], 3, lambda: calls.append('wait'))
    assert calls == ['wait', 'a', 'wait', 'wait', 'b', 'wait'] * (WARM_UP + 3)
    assert [len(own) for own in times] == [3, 3] and min(map(min, times)) > 0


def test_rates_are_best_of_what_is_tried(monkeypatch):
    """With a clock that ticks a second at each look, every call takes a second."""
    from hrformer_mm.commands.benchmark import machine
    ticks = iter(range(1000))
    monkeypatch.setattr(machine.time, 'perf_counter', lambda: next(ticks))
    monkeypatch.setattr(machine, 'SECONDS', 4)
    assert gemm_rate('cpu', torch.float32) == 2 * 2048**3
    assert copy_bandwidth('cpu') == 2 * 2**28
