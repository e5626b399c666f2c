import copy

import pytest
import torch

from hrformer_mm.layers import HRFormerBlock, checkpointed


@pytest.mark.parametrize('drop_path', [0., 0.3])
@pytest.mark.parametrize('frozen', [False, True])
@pytest.mark.parametrize('norm', ['BN', 'SyncBN'])
def test_same_gradients_and_statistics(drop_path, frozen, norm):
    plain = HRFormerBlock(12, 2, (3, 3), 4, drop_path, dict(type=norm, momentum=0.3)).train()
    if frozen:
        plain.ffn.norm2.eval()
    saving = copy.deepcopy(plain)
    calls = []
    saving.ffn.register_forward_pre_hook(lambda *_: calls.append(1))
    x = torch.randn(4, 12, 7, 5)
    results = []
    for b, run in ((plain, plain), (saving, lambda v: checkpointed(saving, v, owner=saving))):
        torch.manual_seed(1)
        v = x.clone().requires_grad_()
        out = run(v)
        (out**2).sum().backward()
        results.append((out.detach(), v.grad, [p.grad for p in b.parameters()], list(b.buffers())))
    for a, b in zip(results[0][2], results[1][2]):
        assert torch.allclose(a, b, atol=1e-7)
    assert torch.equal(results[0][0], results[1][0]) and torch.allclose(results[0][1], results[1][1], atol=1e-7)
    assert all(torch.equal(a, b) for a, b in zip(results[0][3], results[1][3]))
    assert saving.ffn.norm1.momentum == 0.3 and len(calls) == 2


def test_less_is_kept():
    b = HRFormerBlock(12, 2, (3, 3), 4, 0., dict(type='BN')).train()
    x = torch.randn(4, 12, 9, 9, requires_grad=True)

    def kept(run):
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t):
            run(x)
        return sum(sizes)

    assert kept(lambda v: checkpointed(b, v, owner=b)) < kept(b) / 10
