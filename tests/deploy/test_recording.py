"""Recordings, and what they ask of PyTorch, with a stand-in for its CUDA graphs."""

import gc
import warnings
import weakref
from contextlib import contextmanager, nullcontext
from itertools import count

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from hrformer_mm import HRFormer, to_deploy
from hrformer_mm.deploy import recording
from hrformer_mm.deploy.cuda_graphs import GraphedCalls
from hrformer_mm.deploy.recording import Recording
from hrformer_mm.layers import side_by_side

MICRO = dict(num_modules=(1, 1, 1, 1), channels=(18, 36, 64, 78), num_heads=(1, 2, 2, 2), num_blocks=1)


def near(found, expected):
    return len(found) == len(expected) and all(
        torch.allclose(a, b, atol=1e-4, rtol=1e-4) for a, b in zip(found, expected))


def tensors(tree):
    return [x for x in tree_leaves(tree) if isinstance(x, torch.Tensor)]


class Graph(TorchDispatchMode):
    """Notes operators, and runs them anew into the same memory, after all others in its pool have written to theirs."""

    def __init__(self):
        super().__init__()
        self.operators, self.pool = [], None

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        self.operators.append((function, args, kwargs or {}, out))
        return out

    def poison(self):
        for function, *_, out in self.operators:
            for x in tensors(out) if not function.is_view else ():
                x.fill_(float('nan') if x.is_floating_point() else 99)

    def replay(self):
        for other in self.pool:
            if other is not self:
                other.poison()
        for function, args, kwargs, out in self.operators:
            if 'empty' not in str(function):
                for own, new in zip(tensors(out), tensors(function(*args, **kwargs))):
                    if own.data_ptr() != new.data_ptr():
                        own.copy_(new)


class Cuda:
    """What of torch.cuda and torch._C recordings use, and the order in which they do."""

    def __init__(self, monkeypatch):
        self.log, self.number, self.current, self.graphs, self.ends = [], count(), 'user', {}, True
        self.recording = None
        for name in ('CUDAGraph', 'graph', 'stream', 'Stream', 'Event', 'graph_pool_handle'):
            monkeypatch.setattr(torch.cuda, name, getattr(self, name, None) or Graph)
        monkeypatch.setattr(torch.cuda, 'device', lambda device: nullcontext())
        monkeypatch.setattr(torch.cuda, 'current_stream', lambda device=None: self.current)
        for name in ('clearCublasWorkspaces', 'endAllocateToPool', 'releasePool'):
            monkeypatch.setattr(torch._C, f'_cuda_{name}', getattr(self, name), raising=False)
        monkeypatch.setattr(recording, '_unended', [])

    def graph_pool_handle(self):
        return next(self.number), 0

    def Stream(self, device):
        cuda = self

        class Side(str):
            def wait_stream(self, other):
                cuda.log.append(f'{self} for {other}')
        return Side(f'stream {next(self.number)}')

    def Event(self):
        cuda = self

        class Event:
            def wait(self):
                cuda.log.append('wait')

            def record(self):
                cuda.log.append('record')
        return Event()

    @contextmanager
    def stream(self, stream):
        previous, self.current = self.current, stream
        try:
            yield
        finally:
            self.current = previous

    @contextmanager
    def graph(self, graph, pool=None, stream=None, capture_error_mode='global'):
        """As PyTorch's: where its end fails, its stream stays, and the allocator takes it to be under way."""
        assert capture_error_mode == 'thread_local' and self.recording is None, 'already recording'
        previous, self.current, self.recording = self.current, stream, pool or 'own'
        self.log.append(f'graph on {stream}')
        try:
            with graph:
                yield
        finally:
            if not self.ends:
                self.ends = True  # of the next one
                raise RuntimeError('operation failed due to a previous error during capture')
            self.current, self.recording = previous, None
            graph.pool = self.graphs.setdefault(pool, [])
            graph.pool.append(graph)
            self.log.append('end')

    def clearCublasWorkspaces(self):
        self.log.append('workspaces')

    def endAllocateToPool(self, device, pool):
        if self.recording != pool:
            raise RuntimeError('endAllocatePool: not currently recording to mempool_id')
        self.recording = None
        self.log.append('allocator ends')

    def releasePool(self, device, pool):
        self.log.append('allocator releases')


@pytest.fixture
def cuda(monkeypatch):
    cuda = Cuda(monkeypatch)
    with torch.no_grad():
        yield cuda


@pytest.fixture
def model():
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.GELU(), nn.Conv2d(8, 4, 1)).eval()


def make(model, sizes):
    pools = weakref.WeakValueDictionary()
    recordings = [Recording(lambda x: (model(x), model[0](x)), torch.randn(size), pools) for size in sizes]
    return pools, recordings


def test_replays_in_any_order_are_right(cuda, model):
    """Though each may write to all memory of the others, between its own replays."""
    sizes = [(1, 3, 4, 4), (4, 3, 4, 4), (2, 3, 7, 5)]
    pools, recordings = make(model, sizes)
    assert len({r.pool for r in recordings}) == 1 and len(cuda.graphs) == 1
    kept = []
    for step in range(12):
        i = (5 * step + step // 3) % 3
        x = torch.randn(1 + step % sizes[i][0], *sizes[i][1:])
        kept.append((recordings[i](x), (model(x), model[0](x))))
    for found, expected in kept:
        assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(found, expected))
    assert sum(bool(r.input.isnan().all() and r.outputs[0].isnan().all()) for r in recordings) == 2, 'they did'


def test_a_recording_takes_its_streams_and_workspaces_for_itself(cuda, model):
    pool = make(model, [(1, 3, 4, 4)])[1][0].pool
    own = f'graph on {pool.stream}'
    assert cuda.log == ['workspaces', own, 'end', 'workspaces'] and cuda.current == 'user'
    assert len({pool.stream, *pool.sides}) == 4
    cuda.log.clear()
    function = lambda x: side_by_side([lambda: cuda.current] * 3)  # noqa: E731
    forked = Recording(function, torch.zeros(1, 3, 4, 4), {torch.device('cpu'): pool})
    assert forked.outputs == [pool.stream, *pool.sides[:2]]
    forks = [f'{side} for {pool.stream}' for side in pool.sides[:2]]
    joins = [f'{pool.stream} for {side}' for side in pool.sides[:2]]
    assert cuda.log == ['workspaces', own, *forks, *joins, 'end', 'workspaces']
    assert side_by_side([lambda: cuda.current] * 2) == ['user', 'user']


def test_replays_take_turns(cuda, model):
    _, (first, second) = make(model, [(1, 3, 4, 4), (2, 3, 4, 4)])
    cuda.log.clear()
    first.graph.replay = lambda: cuda.log.append('replay')
    second.graph.replay = lambda: 1 / 0
    first(torch.zeros(1, 3, 4, 4))
    with pytest.raises(ZeroDivisionError):
        second(torch.zeros(2, 3, 4, 4))
    assert cuda.log == ['wait', 'replay', 'record', 'wait', 'record'] and first.pool is second.pool


def test_images_that_are_not_there_are_zeros(cuda, model):
    _, (four, other) = make(model, [(4, 3, 4, 4), (1, 3, 4, 4)])
    four(torch.ones(4, 3, 4, 4)), other(torch.ones(1, 3, 4, 4))
    four(torch.ones(2, 3, 4, 4))
    assert four.input[:2].eq(1).all() and four.input[2:].eq(0).all()


def test_a_pool_goes_with_its_last_recording(cuda, model):
    pools, recordings = make(model, [(1, 3, 4, 4), (2, 3, 4, 4)])
    memory = recordings[0].pool.memory
    del recordings[0]
    assert len(pools) == 1
    recordings.append(Recording(lambda x: (model(x), ), torch.zeros(1, 3, 5, 5), pools))
    assert recordings[1].pool.memory == memory
    cuda.graphs.clear(), recordings.clear()
    assert not pools, 'PyTorch does not take up a pool whose graphs are gone'
    assert Recording(lambda x: (model(x), ), torch.zeros(1, 3, 5, 5), pools).pool.memory != memory


@pytest.mark.parametrize('ends', [True, False])
@pytest.mark.parametrize('older', [True, False])
def test_after_an_error_pytorch_is_as_before(cuda, model, monkeypatch, ends, older):
    """Where the end of the graph fails as well, as after what no graph can hold, and where it does not."""
    if older:
        monkeypatch.setattr(torch._C, '_cuda_endAllocateCurrentStreamToPool', cuda.endAllocateToPool, raising=False)
        monkeypatch.delattr(torch._C, '_cuda_endAllocateToPool')
    pools, (before, ) = make(model, [(1, 3, 4, 4)])
    cuda.log.clear()
    held = []

    def fail(x):
        y = model(x)
        held.append(weakref.ref(y))
        cuda.ends = ends
        raise torch.cuda.OutOfMemoryError('no memory')

    gc.disable()
    try:
        with pytest.raises(torch.cuda.OutOfMemoryError, match='no memory'):
            Recording(fail, torch.zeros(2, 3, 4, 4), pools)
    finally:
        gc.enable()
    own, fork = f'graph on {before.pool.stream}', 'workspaces'
    if ends:
        assert cuda.log == [fork, own, 'end', 'workspaces'] and not recording._unended
    else:
        assert cuda.log == [fork, own, 'allocator ends', 'allocator releases', own, 'end', 'workspaces']
        assert len(recording._unended) == 1
    assert cuda.current == 'user' and cuda.recording is None
    x = torch.randn(1, 3, 4, 4)
    assert torch.allclose(before(x)[0], model(x), atol=1e-6), 'other recordings are what they were'
    assert torch.allclose(Recording(lambda x: (model(x), ), x, pools)(x)[0], model(x), atol=1e-6)


def test_memory_of_a_failed_recording_is_free_at_once(cuda, model, monkeypatch):
    monkeypatch.setattr(GraphedCalls, '_fits', staticmethod(lambda x: True))
    held = []

    def function(x):
        y = model(x)
        if cuda.recording:
            held.append(weakref.ref(y))
            raise torch.cuda.OutOfMemoryError('no memory')
        return (y, )

    monkeypatch.setattr(Graph, '__torch_dispatch__',  # which would hold the memory
                        lambda own, f, types, args=(), kwargs=None: f(*args, **(kwargs or {})))
    calls, x = GraphedCalls(model, function), torch.randn(3, 3, 4, 4)
    gc.disable()
    try:
        with pytest.warns(UserWarning, match='OutOfMemoryError: no memory'):
            assert all(torch.allclose(calls(x)[0], model(x)) for _ in range(4))
        assert len(held) == 1 and held[0]() is None and not calls._pools
    finally:
        gc.enable()


def test_the_cache_leaves_pools_whose_recordings_are_gone(cuda, model, monkeypatch):
    monkeypatch.setattr(GraphedCalls, '_fits', staticmethod(lambda x: True))
    calls, memory = GraphedCalls(model, lambda x: (model(x), ), sizes=1), []
    for side in (4, 4, 5, 5):
        calls(torch.zeros(1, 3, side, side))
        memory.append([pool.memory for pool in calls._pools.values()])
        cuda.graphs.clear()  # as PyTorch, of graphs that are gone
    assert memory[0] == memory[2] == [] and memory[1] != memory[3]

    def fail(x):
        assert not cuda.recording, 'cannot be recorded'
        return (model(x), )

    calls.function = fail
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        calls(torch.zeros(1, 3, 6, 6))
        with pytest.raises(UserWarning) as kept:  # with all that its traceback holds
            calls(torch.zeros(1, 3, 6, 6))
    assert 'cannot be recorded' in str(kept.value) and not calls._pools


def test_a_model_from_the_cache(cuda, monkeypatch):
    """The whole way, with forks, on streams that are none."""
    monkeypatch.setattr(GraphedCalls, '_fits', staticmethod(lambda x: not torch.is_grad_enabled()))
    model = HRFormer(arch=MICRO).eval()
    graphed, kept = to_deploy(model, cuda_graphs=True), []
    for n, side in ((1, 32), (1, 32), (1, 32), (2, 40), (2, 40), (1, 32), (2, 40), (1, 32)):
        x = torch.randn(n, 3, side, side)
        kept.append((graphed(x), model(x)))
    assert len(graphed.forward._recordings) == 2 and len(cuda.graphs) == 1
    assert all(near(found, expected) for found, expected in kept)
