"""Recordings: on a GPU where there is one; and what they ask of PyTorch, with a stand-in for its CUDA graphs."""

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
from hrformer_mm.deploy.recording import Pool, Recording
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


needs_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
SIZES = [(1, 64, 48), (3, 64, 48), (2, 45, 70), (8, 32, 32)]


@pytest.fixture
def exact(monkeypatch):
    """Convolutions of float32 are not rounded to TF32, by one algorithm more than by another."""
    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)


def poison():
    """Memory that the allocator has to give holds NaN."""
    free = [torch.full((n, ), float('nan'), device='cuda') for n in [2**k for k in range(6, 24)] * 4]
    torch.cuda.synchronize()
    del free


@needs_a_gpu
@pytest.mark.parametrize('autocast', [False, True])
def test_on_a_gpu_replays_of_several_sizes_in_any_order(exact, autocast):
    model = HRFormer(arch='tiny').eval().cuda()
    graphed, deployed, kept = to_deploy(model, cuda_graphs=True), to_deploy(model), []
    with torch.no_grad(), torch.autocast('cuda', torch.bfloat16, enabled=autocast):
        for step in range(60):
            n, h, w = SIZES[(5 * step + step // 4) % 4]
            x = torch.randn(n, 3, h, w, device='cuda')
            poison()
            kept.append((graphed(x), deployed(x)))
    bound = 0.1 if autocast else 1e-4
    for found, expected in kept:  # outputs are not written to by later calls
        assert all((a - b).norm() <= bound * b.norm() for a, b in zip(found, expected))
    assert len(graphed.forward._recordings) == 4 and len({r.pool for r in graphed.forward._recordings.values()}) == 1


@needs_a_gpu
def test_on_a_gpu_forks_are_those_of_a_loop(monkeypatch):
    """Bit for bit, in every one of many replays: what races is not always the same."""
    model, x = to_deploy(HRFormer(arch='base').cuda()), torch.randn(1, 3, 256, 192, device='cuda')
    with torch.no_grad():
        model(x)
        forked = Recording(model.forward, x, {})
        monkeypatch.setattr(recording, 'SIDE_STREAMS', 0)
        expected = Recording(model.forward, x, {})(x)
        for _ in range(300):
            assert all(torch.equal(a, b) for a, b in zip(forked(x), expected))


@needs_a_gpu
def test_on_a_gpu_replays_from_several_streams(exact):
    model = HRFormer(arch=MICRO).cuda()
    graphed, deployed, kept = to_deploy(model, cuda_graphs=True), to_deploy(model), []
    streams = [torch.cuda.Stream() for _ in range(3)]
    with torch.no_grad():
        for step in range(60):
            x = torch.randn(1, 3, 64 + 32 * (step % 2), 64, device='cuda')
            streams[step % 3].wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(streams[step % 3]):
                kept.append((x, graphed(x)))
        torch.cuda.synchronize()
        assert all(near(found, deployed(x)) for x, found in kept)


@needs_a_gpu
def test_on_a_gpu_sizes_share_memory():
    graphed, x = to_deploy(HRFormer(arch='tiny').cuda(), cuda_graphs=True), torch.randn(8, 3, 256, 192, device='cuda')
    taken = []
    with torch.no_grad():
        for height in (256, 248, 240, 232):
            for _ in range(2):
                graphed(x[:, :, :height].contiguous())
            torch.cuda.empty_cache()
            taken.append(torch.cuda.memory_reserved())
    assert taken[3] - taken[0] < 0.5 * taken[0], 'of the first, most is a forward pass'


@needs_a_gpu
def test_on_a_gpu_after_what_cannot_be_recorded(exact):
    """It is the end of the graph that fails here; random numbers, the allocator and other recordings work on."""
    conv = nn.Conv2d(3, 4, 3).cuda().eval()

    def function(x):
        assert x.shape[2] != 9 or x.sum().item() < 1e9
        return (nn.Conv2d.forward(conv, x), )

    calls = GraphedCalls(conv, function)
    with torch.no_grad():
        for side in (8, 8, 8, 9):
            calls(torch.randn(1, 3, side, side, device='cuda'))
        stream = torch.cuda.current_stream()
        with pytest.warns(UserWarning, match=r'\(1, 3, 9, 9\) run without a CUDA graph'):
            calls(torch.randn(1, 3, 9, 9, device='cuda'))
        assert torch.cuda.current_stream() == stream and not torch.cuda.is_current_stream_capturing()
        assert torch.nn.functional.dropout(torch.ones(1000, device='cuda')).sum() > 0
        for side in (8, 9, 8, 9, 8):
            x = torch.randn(1, 3, side, side, device='cuda')
            assert near(calls(x), (conv(x), ))
    assert len(calls._recordings) == len(calls._refused) == 1


@needs_a_gpu
def test_on_a_gpu_for_want_of_memory(exact):
    conv = nn.Conv2d(3, 4, 3).cuda().eval()

    def function(x):
        if torch.cuda.is_current_stream_capturing():
            torch.empty(2**42, device='cuda')
        return (nn.Conv2d.forward(conv, x), )

    calls, x = GraphedCalls(conv, function), torch.randn(1, 3, 9, 9, device='cuda')
    with torch.no_grad(), pytest.warns(UserWarning, match='OutOfMemoryError') as said:
        for _ in range(3):
            assert near(calls(x), (conv(x), ))
    assert len(said) == 1
