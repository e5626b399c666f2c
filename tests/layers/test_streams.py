"""Functions side by side, on streams that are clocks: what they may do at once, and with whose memory."""

from collections import Counter
from contextlib import contextmanager

import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from hrformer_mm import HRFormer, to_deploy
from hrformer_mm.kernels import support
from hrformer_mm.layers import side_by_side, side_streams
from hrformer_mm.ops import attention, block_backend

MICRO = dict(num_modules=(1, 1, 1, 1), channels=(16, 32, 64, 80), num_heads=(1, 2, 2, 2), num_blocks=1)


class Stream:
    """Knows of each stream how many of its operators have run before what comes next on this one."""

    def __init__(self):
        self.clock = Counter()

    def wait_stream(self, other):
        self.clock |= other.clock


class Memory:

    def __init__(self, storage, stream):
        self.storage, self.stream, self.written, self.used = StorageWeakRef(storage), stream, None, {}


class Races(TorchDispatchMode):
    """Operators on streams, and the allocator's memory: what is freed, the stream that it was made on has at once."""

    def __init__(self, monkeypatch, sides=3):
        super().__init__()
        self.main, self.sides = Stream(), [Stream() for _ in range(sides)]
        self.current, self.memories, self.freed, self.found = self.main, {}, [], set()
        self.count, self.names = Counter(), set()
        monkeypatch.setattr(torch.cuda, 'current_stream', lambda: self.current)
        monkeypatch.setattr(torch.cuda, 'stream', self.on)

    @contextmanager
    def on(self, stream):
        previous, self.current = self.current, stream
        try:
            yield
        finally:
            self.current = previous

    def before(self, used):
        return all(self.current.clock[stream] >= time for stream, time in used.items())

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        for key, memory in list(self.memories.items()):
            if memory.storage.expired():
                self.freed.append(self.memories.pop(key))
        out, stream = function(*args, **(kwargs or {})), self.current
        stream.clock[stream] += 1
        self.count[stream] += 1
        self.names.add(str(function))
        used = [x.untyped_storage() for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        outs = () if function.is_view else tree_leaves(out)
        written = [x.untyped_storage() for x in outs if isinstance(x, torch.Tensor)]
        for storage in written:
            if storage._cdata not in self.memories and all(storage._cdata != x._cdata for x in used):
                self.memories[storage._cdata] = Memory(storage, stream)
                if not all(self.before(memory.used) for memory in self.freed if memory.stream is stream):
                    self.found.add('given anew')
        for storage, writes in [(x, False) for x in used] + [(x, True) for x in written]:
            memory = self.memories.get(storage._cdata)  # None: a weight, or the image
            if memory is None:
                continue
            if not self.before(memory.used if writes else memory.written):
                self.found.add('overwritten' if writes else 'not written yet')
            if writes:
                memory.written = {stream: stream.clock[stream]}
            memory.used[stream] = stream.clock[stream]
        return out


@pytest.fixture
def races(monkeypatch):
    return Races(monkeypatch)


def run_model(races, arch=MICRO, **options):
    """On the device that has no values, where the model takes the way that it takes on a GPU."""
    model = to_deploy(HRFormer(arch=arch, **options)).to('meta')
    with torch.no_grad(), side_streams(races.sides), races:
        outs = model(torch.empty(1, 3, 90, 64, device='meta'))
        if not all(races.before(races.memories[y.untyped_storage()._cdata].written) for y in outs):
            races.found.add('not joined')


@pytest.mark.parametrize('options', [
    dict(arch=dict(MICRO, num_modules=(1, 1, 2, 2))), dict(fuse_upsample='bilinear', with_pad_mask=True),
    dict(out_indices=(0, )),
    dict(arch=dict(MICRO, num_blocks=2), out_indices=(1, 3), shift_windows=True, with_dwconv=False)])
def test_streams_of_a_model_do_not_race(races, options):
    run_model(races, **options)
    assert not races.found
    assert all(races.count[stream] > 20 for stream in races.sides)


def test_streams_of_kernels_do_not_race(races, monkeypatch):
    pytest.importorskip('triton')
    monkeypatch.setattr(support, '_usable', {torch.device('meta'): True})
    monkeypatch.setattr(attention, '_backend', 'triton')
    monkeypatch.setattr(block_backend, '_backend', 'triton')
    run_model(races)
    assert not races.found and {'window_attention', 'fuse_streams'} <= {name.split('.')[1] for name in races.names}


@pytest.mark.parametrize('join, found', [(True, {'not written yet', 'not joined'}), (False, {'not written yet'})])
def test_a_wait_that_is_left_out_is_seen(races, join, found, monkeypatch):
    wait = Stream.wait_stream
    monkeypatch.setattr(Stream, 'wait_stream', lambda own, other: (own is races.main) != join and wait(own, other))
    run_model(races)
    assert races.found >= found


def test_memory_that_is_freed_between_fork_and_join_is_seen(races):
    """A map that nobody holds but who reads it: meanwhile its memory is given anew to the stream that it is from."""
    for held, found in ((True, set()), (False, {'given anew'})):
        with torch.no_grad(), side_streams(races.sides), races:
            maps = side_by_side([lambda: None, lambda: None, lambda: torch.zeros(8)])[2:]
            holder = maps[:held]
            side_by_side([lambda: None, lambda: maps.pop() + 1, lambda: torch.ones(8)])
            del holder[:]
            side_by_side([lambda: None, lambda: None, lambda: torch.ones(8)])
        assert races.found == found


def test_results_are_those_of_a_loop(races):
    model, x = to_deploy(HRFormer(arch=MICRO)), torch.randn(2, 3, 70, 64)
    with torch.no_grad():
        expected = model(x)
        with side_streams(races.sides[:2]):  # fewer than there are branches
            found = model(x)
    assert all(torch.equal(a, b) for a, b in zip(found, expected))


def test_order_of_waits(races, monkeypatch):
    names = {races.main: 'main', **{stream: f'side {i}' for i, stream in enumerate(races.sides)}}
    seen = []
    monkeypatch.setattr(Stream, 'wait_stream', lambda own, other: seen.append(f'{names[own]} for {names[other]}'))
    calls = [lambda i=i: seen.append(f'{i} on {names[races.current]}') or i for i in range(3)]
    with side_streams(races.sides):
        assert side_by_side(calls) == [0, 1, 2]
    assert seen == ['side 0 for main', 'side 1 for main', '0 on main', '1 on side 0', '2 on side 1', 'main for side 0',
                    'main for side 1']
    seen.clear()
    with side_streams(races.sides):
        assert side_by_side(calls[:1]) == [0]
    assert side_by_side(calls) == [0, 1, 2]
    assert seen == ['0 on main', '0 on main', '1 on main', '2 on main']


def test_an_error_is_joined(races, monkeypatch):
    seen = []
    monkeypatch.setattr(Stream, 'wait_stream', lambda own, other: seen.append((own, other)))
    with pytest.raises(ZeroDivisionError), side_streams(races.sides):
        side_by_side([lambda: 1, lambda: 1 / 0, lambda: 1])
    assert races.current is races.main
    assert seen[2:] == [(races.main, stream) for stream in races.sides[:2]]
    seen.clear()
    side_by_side([lambda: 1, lambda: 2])
    assert not seen, 'nothing is left behind'


def test_what_runs_so_does_not_fork_again(races):
    def nested():
        assert races.current is races.sides[0]
        return side_by_side([lambda: races.current] * 3)

    with side_streams(races.sides):
        assert side_by_side([lambda: 1, nested]) == [1, [races.sides[0]] * 3]
