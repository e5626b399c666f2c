"""Blocks of the deployment form, by kernels and without; the kernels run in Triton's interpreter, or on a GPU."""

import copy

import pytest
import torch

from hrformer_mm import HRFormer, to_deploy
from hrformer_mm.deploy import blocks
from hrformer_mm.deploy.fold import fold_batch_norms
from hrformer_mm.layers import HRFormerBlock
from hrformer_mm.ops import set_attention_backend, set_block_backend

DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
MICRO = dict(num_modules=(1, 1, 1, 1), channels=(6, 12, 18, 26), num_heads=(1, 2, 2, 2), num_blocks=1)


@pytest.fixture(autouse=True)
def backends():
    """That of blocks alone; and as they were before."""
    pytest.importorskip('triton')
    torch.compiler.reset()
    before = set_attention_backend('auto'), set_block_backend('triton')
    yield
    set_attention_backend(before[0])
    set_block_backend(before[1])
    torch.compiler.reset()


@pytest.fixture
def calls(monkeypatch):
    """How often the kernel was called."""
    found, function = [], blocks.triton_linear

    def count(*args):
        found.append(args)
        return function(*args)

    monkeypatch.setattr(blocks, 'triton_linear', count)
    return found


def randomize(model):
    """Norms that do something, in evaluation mode."""
    for name, value in model.state_dict().items():
        if name.endswith('running_var'):
            value.uniform_(0.5, 1.5)
        elif name.endswith(('running_mean', 'bias', 'bias_table')):
            value.normal_(0, 0.2)
        elif value.dim() == 1:
            value.uniform_(0.6, 1.4)
    return model.to(DEVICE).eval()


def make_block(channels=18, norm_cfg=dict(type='BN'), **options):
    """A block, and its deployment form."""
    block = randomize(HRFormerBlock(channels, 2, (3, 2), 4, 0.5, norm_cfg, **options))
    deployed = copy.deepcopy(block).requires_grad_(False)
    fold_batch_norms(deployed)
    return block, blocks.DeployBlock(deployed).eval()


def draw(channels, *size, batch=1):
    return torch.randn(batch, channels, *size, device=DEVICE)


def reference(model, x):
    """Of PyTorch's operators, in float64."""
    before = set_attention_backend('plain'), set_block_backend('torch')
    with torch.no_grad():
        out = copy.deepcopy(model).double()(x.double())
    set_attention_backend(before[0])
    set_block_backend(before[1])
    return out


def error(out, expected):
    return max(((a.double() - b).norm() / b.norm()).item() for a, b in zip(out, expected))


@pytest.mark.parametrize('options', [
    dict(), dict(with_dwconv=False), dict(with_rpe=False, with_pad_mask=True), dict(shifted=True),
    dict(recompute=True), dict(norm_cfg=dict(type='GN', num_groups=2))])
def test_kinds_of_blocks(calls, options):
    block, deployed = make_block(**options)
    x = draw(18, 4, 5, batch=2)
    with torch.no_grad():
        assert error(deployed(x), reference(block, x)) < 1e-5
        assert len(calls) == (0 if 'norm_cfg' in options else 4)
        assert error(deployed(x.contiguous(memory_format=torch.channels_last)), reference(block, x)) < 1e-5


@pytest.mark.parametrize('attention, kernels, count', [('triton', 'triton', 4), ('triton', 'torch', 0),
                                                       ('auto', 'auto', 0)])
def test_each_backend_without_the_other(calls, attention, kernels, count):
    set_attention_backend(attention)
    set_block_backend(kernels)
    block, deployed = make_block()
    x = draw(18, 5, 7)
    with torch.no_grad():
        assert error(deployed(x), reference(block, x)) < 1e-5
    assert len(calls) == count


@pytest.mark.parametrize('dtype, bound', [(torch.bfloat16, 2e-2), (torch.float16, 2e-3)])
def test_sixteen_bits(calls, rounded, dtype, bound):
    block, deployed = make_block(channels=26)
    x = draw(26, 5, 7).to(dtype)
    with torch.no_grad():
        out = deployed.to(dtype)(x)
        assert out.dtype == dtype and error(out, reference(block.to(dtype), x)) < bound
    assert len(calls) == 4


def test_gradients_take_pytorchs_way(calls):
    block, deployed = make_block()
    x = draw(18, 5, 7).requires_grad_()
    grads = [torch.autograd.grad(m(x).square().sum(), x)[0] for m in (block, deployed)]
    assert torch.allclose(*grads, rtol=1e-3, atol=1e-5) and not calls
    deployed(x.detach())
    assert len(calls) == 4, 'nothing asks for a gradient'
    deployed.norm1.weight.requires_grad_()
    block.requires_grad_(False).norm1.weight.requires_grad_()
    grads = [torch.autograd.grad(m(x.detach()).square().sum(), m.norm1.weight)[0] for m in (block, deployed)]
    assert torch.allclose(*grads, rtol=1e-3, atol=1e-5) and len(calls) == 4


def test_autocast_and_other_dtypes_take_pytorchs_way(calls):
    block, deployed = make_block()
    x = draw(18, 5, 7)
    with torch.no_grad():
        with torch.autocast(DEVICE, dtype=torch.bfloat16):
            assert error(deployed(x), reference(block, x)) < 3e-2
        assert error(deployed.double()(x.double()), reference(block, x)) < 1e-5
    assert not calls


def test_names_are_those_of_the_parts():
    _, deployed = make_block()
    assert set(deployed.state_dict()) == {
        'norm1.weight', 'norm1.bias', 'attn.attn.bias', 'attn.attn.qkv.weight', 'attn.attn.qkv.bias',
        'attn.attn.proj.weight', 'attn.attn.proj.bias', 'norm2.weight', 'norm2.bias', 'ffn.fc1.weight', 'ffn.fc1.bias',
        'ffn.dw3x3.weight', 'ffn.dw3x3.bias', 'ffn.fc2.weight', 'ffn.fc2.bias'}


def test_an_empty_batch():
    _, deployed = make_block()
    with torch.no_grad():
        assert deployed(draw(18, 5, 7, batch=0)).shape == (0, 18, 5, 7)


def test_export_and_compiling():
    block, deployed = make_block()
    x = draw(18, 5, 7)
    with torch.no_grad():
        program = torch.export.export(deployed, (x, ))
        targets = [node.target for node in program.graph.nodes]
        assert targets.count(torch.ops.hrformer_mm.linear.default) == 4
        compiled = torch.compile(deployed, backend='aot_eager', fullgraph=True)
        assert error(program.module()(x), reference(block, x)) < 1e-5 and error(compiled(x), reference(block, x)) < 1e-5


def test_network(calls):
    model, x = randomize(HRFormer(arch=MICRO, window_sizes=3)), draw(3, 32, 32)
    with torch.no_grad():
        deployed = to_deploy(model)
        assert all(not module.training for module in deployed.modules() if isinstance(module, blocks.DeployBlock))
        assert error(deployed(x), reference(model, x)) < 1e-5
    assert len(calls) == 4 * 9  # of nine blocks


@pytest.mark.slow
def test_network_is_one_graph():
    model, x = randomize(HRFormer(arch=MICRO, window_sizes=3)), draw(3, 32, 32)
    with torch.no_grad():
        assert error(torch.export.export(to_deploy(model), (x, )).module()(x), reference(model, x)) < 1e-5
        compiled = to_deploy(model, compile=dict(backend='aot_eager', fullgraph=True))
        assert error(compiled(x), reference(model, x)) < 1e-5
        assert error(compiled.bfloat16()(x.bfloat16()), reference(model.bfloat16(), x.bfloat16())) < 3e-2
