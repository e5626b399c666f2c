"""The cache of recordings, with a recorder that needs no GPU."""

import copy
import pickle
import threading

import pytest
import torch
from torch import nn

from hrformer_mm import HRFormer, to_deploy
from hrformer_mm.deploy.cuda_graphs import GraphedCalls, bucket, fill_up
from hrformer_mm.ops import set_attention_backend, set_block_backend

MICRO = dict(num_modules=(1, 1, 1, 1), channels=(18, 36, 64, 78), num_heads=(1, 2, 2, 2), num_blocks=1)


class Recorder:
    """Counts what it is asked for; a recording writes its outputs to the same memory at every call."""

    def __init__(self):
        self.recorded, self.replayed, self.running, self.most = [], [], 0, 0

    def __call__(self, function, x, pools):
        self.recorded.append(tuple(x.shape))
        full = x.clone()

        def replay(x):
            self.running += 1
            self.most = max(self.most, self.running)
            self.replayed.append(tuple(x.shape))
            full[:len(x)] = x
            outputs = tuple(y[:len(x)].clone() for y in function(full))
            self.running -= 1
            return outputs

        return replay


@pytest.fixture
def graphed(monkeypatch):
    monkeypatch.setattr(GraphedCalls, '_fits', staticmethod(lambda x: not torch.is_grad_enabled()))
    module, recorder = nn.Conv2d(3, 4, 1).eval(), Recorder()
    calls = GraphedCalls(module, lambda x: (nn.Conv2d.forward(module, x), ), sizes=2, record=recorder)
    with torch.no_grad():
        yield module, calls, recorder


def image(side):
    return torch.randn(1, 3, side, side)


def test_the_second_call_records_and_later_ones_are_replayed(graphed):
    module, calls, recorder = graphed
    for replayed in (0, 0, 1, 2):
        x = image(4)
        assert torch.equal(calls(x)[0], module(x)) and len(recorder.replayed) == replayed
    assert recorder.recorded == [(1, 3, 4, 4)]
    assert len(calls(image(5))) == 1 and len(recorder.recorded) == 1, 'a new size is not recorded'


def test_the_cache_is_bounded_and_forgets_the_oldest(graphed):
    _, calls, recorder = graphed
    for side in (4, 4, 5, 5, 4, 6, 6):
        calls(image(side))
    assert [shape[2] for shape in recorder.recorded] == [4, 5, 6] and len(calls._recordings) == 2
    calls(image(4))
    assert len(recorder.recorded) == 3, '4 was used after 5'
    calls(image(5)), calls(image(5))
    assert [shape[2] for shape in recorder.recorded] == [4, 5, 6, 5]


def test_other_weights_layouts_backends_and_modes_are_recorded_anew(graphed):
    module, calls, recorder = graphed
    calls.sizes = 8
    calls(image(4)), calls(image(4))
    with torch.inference_mode():
        calls(image(4))
    calls(image(4).to(memory_format=torch.channels_last))
    for choose in (set_attention_backend, set_block_backend):
        previous = choose('triton')
        calls(image(4))
        choose(previous)
    assert len(recorder.recorded) == 1 and not recorder.replayed
    module.weight.data = module.weight.data.clone()
    calls(image(4))
    assert not recorder.replayed


def test_batches_are_filled_up(graphed):
    """As people of several pictures come: 3 and 4 of them are one size, and so are 9 and 16."""
    module, calls, recorder = graphed
    assert [bucket(n) for n in (1, 2, 3, 4, 5, 8, 9, 16, 17)] == [1, 2, 4, 4, 8, 8, 16, 16, 24]
    kept = []
    for n in (3, 4, 4, 3, 1, 9, 16, 11):
        x = torch.randn(n, 3, 4, 4).to(memory_format=torch.channels_last if n < 9 else torch.contiguous_format)
        kept.append((calls(x)[0], module(x)))
    assert recorder.recorded == [(4, 3, 4, 4), (16, 3, 4, 4)] and len(recorder.replayed) == 3
    assert all(a.shape == b.shape and torch.allclose(a, b, atol=1e-6) for a, b in kept), 'and are nobody else\'s'
    x = torch.randn(3, 2, 4, 5).to(memory_format=torch.channels_last)
    full = fill_up(x, 8)
    assert full.shape[0] == 8 and full.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(full[:3], x) and not full[3:].any()
    x = torch.randn(1, 3, 4, 4).expand(3, -1, -1, -1)  # one image three times, in the memory of one
    assert all(torch.equal(calls(x)[0], module(x)) for _ in range(3))


def test_in_training_the_model_itself_is_called(graphed):
    """Where an image's result may depend on the others."""
    module, calls, recorder = graphed
    module.train()
    for _ in range(3):
        calls(image(4))
    assert not recorder.recorded and not calls._recordings


@pytest.mark.parametrize('error', [torch.cuda.OutOfMemoryError('CUDA out of memory.'),
                                   RuntimeError('no such thing\nin it')])
def test_a_size_that_cannot_be_recorded_runs_as_ever(graphed, error):
    """Which is said once; the memory of all recordings is free, and other sizes are recorded anew."""
    module, calls, recorder = graphed
    record, tried = calls.record, []

    def fail(function, x, pools):
        tried.append(x.shape[2])
        if x.shape[2] == 5:
            raise error
        return record(function, x, pools)

    calls.record = fail
    for side in (4, 4, 4, 5):
        calls(image(side))
    reason = str(error).splitlines()[0]
    with pytest.warns(UserWarning, match=rf'\(1, 3, 5, 5\) run without .* {reason} .*cuda_graphs=False') as said:
        x = image(5)
        assert torch.equal(calls(x)[0], module(x)) and not calls._recordings
        for side in (5, 5, 5, 4, 4, 4, 5):
            x = image(side)
            assert torch.equal(calls(x)[0], module(x))
    assert tried == [4, 5, 4] and len(said) == 1 and len(recorder.replayed) == 2
    assert calls._lock.acquire(blocking=False)
    calls._lock.release()


def test_sizes_that_cannot_be_recorded_are_forgotten_at_last(graphed, monkeypatch):
    _, calls, _ = graphed
    monkeypatch.setattr('hrformer_mm.deploy.cuda_graphs.REFUSED', 3)
    tried = []
    calls.record = lambda function, x, pools: tried.append(x.shape[2]) or 1 / 0
    with pytest.warns(UserWarning, match='ZeroDivisionError'):
        for side in (4, 5, 6, 7, 5, 4):
            calls(image(side)), calls(image(side))
    assert tried == [4, 5, 6, 7, 4] and len(calls._refused) == 3


def test_threads_take_turns(graphed):
    module, calls, recorder = graphed
    errors = []

    def work():
        with torch.no_grad():
            for _ in range(50):
                x = image(4)
                if not torch.equal(calls(x)[0], module(x)):
                    errors.append(x)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and recorder.most == 1 and len(recorder.recorded) == 1


def test_on_the_cpu_and_with_gradients_the_model_itself_is_called():
    model = HRFormer(arch=MICRO).eval()
    graphed, x = to_deploy(model, cuda_graphs=True), torch.randn(1, 3, 45, 70)
    assert list(graphed.state_dict()) == list(to_deploy(model).state_dict())
    for grad in (False, False, True):
        with torch.set_grad_enabled(grad):
            for out, expected in zip(graphed(x), model(x)):
                assert torch.allclose(out, expected, atol=1e-4)
    assert not graphed.forward._recordings


def test_a_copy_has_its_own_weights():
    graphed, x = to_deploy(HRFormer(arch=MICRO), cuda_graphs=True), torch.randn(1, 3, 32, 32)
    other = copy.deepcopy(graphed)
    assert other.forward.module is other and other.forward.function.__self__ is other
    before = graphed(x)[0].clone()
    for p in other.parameters():
        p.zero_()
    assert torch.equal(graphed(x)[0], before)


def test_a_copy_records_anew(graphed):
    module, calls, recorder = graphed
    calls(image(4)), calls(image(4))
    other = copy.copy(calls)
    assert other.module is module and not other._recordings and other._lock is not calls._lock
    assert len(pickle.loads(pickle.dumps(to_deploy(HRFormer(arch=MICRO), cuda_graphs=True))).forward._recordings) == 0


def test_compiled_and_recorded():
    with pytest.raises(ValueError, match='leave one of cuda_graphs and compile out'):
        to_deploy(HRFormer(arch=MICRO), compile=True, cuda_graphs=True)
