import copy

import pytest
import torch

from hrformer_mm.layers import HRFormerBlock, run_checkpointed


@pytest.mark.parametrize('drop_path', [0.0, 0.3])
@pytest.mark.parametrize('frozen', [False, True])
@pytest.mark.parametrize('norm', ['BN', 'SyncBN'])
@pytest.mark.parametrize('with_cp', [True, 'cheap'])
def test_same_gradients_and_statistics(drop_path, frozen, norm, with_cp):
    plain = HRFormerBlock(12, 2, (3, 3), 4, drop_path, dict(type=norm, momentum=0.3)).train()
    if frozen:
        plain.ffn.norm2.eval()
    saving = copy.deepcopy(plain)
    calls = []
    saving.ffn.register_forward_pre_hook(lambda *_: calls.append(1))
    x = torch.randn(4, 12, 7, 5)
    results = []
    for b, run in ((plain, plain), (saving, lambda v: run_checkpointed(saving, v, with_cp, saving))):
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


@pytest.mark.parametrize('with_cp, maps', [(True, 1), ('cheap', 14)])
def test_memory_saved_for_backward(with_cp, maps, kept_bytes):
    """In maps of C channels: the output; and in the selective form those of qkv (3), proj (1), fc1 (4), dw3x3 (4) and
    fc2 (1) as well."""
    block = HRFormerBlock(12, 2, (3, 3), 4, 0.0, dict(type='BN')).train()
    x = torch.randn(2, 12, 30, 30).contiguous(memory_format=torch.channels_last).requires_grad_()
    kept = kept_bytes(lambda: run_checkpointed(block, x, with_cp, block)) / (4 * x.numel())
    assert maps <= kept < maps + 0.1 and kept < 0.5 * kept_bytes(lambda: block(x)) / (4 * x.numel())
