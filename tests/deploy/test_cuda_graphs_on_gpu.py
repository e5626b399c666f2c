"""CUDA graphs where there is a GPU: sizes in any order, streams, memory, and recordings that fail."""

import pytest
import torch
from torch import nn

from hrformer_mm import HRFormer, to_deploy
from hrformer_mm.deploy import recording
from hrformer_mm.deploy.cuda_graphs import GraphedCalls
from hrformer_mm.deploy.recording import Recording

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
MICRO = dict(num_modules=(1, 1, 1, 1), channels=(18, 36, 64, 78), num_heads=(1, 2, 2, 2), num_blocks=1)
SIZES = [(1, 64, 48), (3, 64, 48), (2, 45, 70), (8, 32, 32)]


@pytest.fixture
def exact(monkeypatch):
    """Convolutions of float32 are not rounded to TF32, by one algorithm more than by another."""
    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)


def near(found, expected):
    return len(found) == len(expected) and all(
        torch.allclose(a, b, atol=1e-4, rtol=1e-4) for a, b in zip(found, expected))


def poison():
    """Memory that the allocator has to give holds NaN."""
    free = [torch.full((n, ), float('nan'), device='cuda') for n in [2**k for k in range(6, 24)] * 4]
    torch.cuda.synchronize()
    del free


@pytest.mark.parametrize('autocast', [False, True])
def test_replays_of_several_sizes_in_any_order(exact, autocast):
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


def test_forks_are_those_of_a_loop(monkeypatch):
    """Bit for bit, in every one of many replays: what races is not always the same."""
    model, x = to_deploy(HRFormer(arch='base').cuda()), torch.randn(1, 3, 256, 192, device='cuda')
    with torch.no_grad():
        model(x)
        forked = Recording(model.forward, x, {})
        monkeypatch.setattr(recording, 'SIDE_STREAMS', 0)
        expected = Recording(model.forward, x, {})(x)
        for _ in range(300):
            assert all(torch.equal(a, b) for a, b in zip(forked(x), expected))


def test_replays_from_several_streams(exact):
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


def test_sizes_share_memory():
    graphed, x = to_deploy(HRFormer(arch='tiny').cuda(), cuda_graphs=True), torch.randn(8, 3, 256, 192, device='cuda')
    taken = []
    with torch.no_grad():
        for height in (256, 248, 240, 232):
            for _ in range(2):
                graphed(x[:, :, :height].contiguous())
            torch.cuda.empty_cache()
            taken.append(torch.cuda.memory_reserved())
    assert taken[3] - taken[0] < 0.5 * taken[0], 'of the first, most is a forward pass'


def test_after_what_cannot_be_recorded(exact):
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


def test_for_want_of_memory(exact):
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
