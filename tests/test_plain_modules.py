"""HRFormer supports hooks, adapters, reparametrization, quantization and function transforms of PyTorch modules.

Each is compared with mmpose's HRFormer with the same weights.
"""

import copy

import pytest
import torch
from torch import nn

import hrformer_mm  # noqa: F401  (its repairs come before the host library)
from hrformer_mm import HRFormer

mmpose_models = pytest.importorskip('mmpose.models')

CHANNELS, HEADS = (6, 12, 18, 24), (1, 2, 3, 4)


def extra():
    def stage(n):
        return dict(
            num_modules=1,
            num_branches=n,
            block='HRFORMERBLOCK',
            num_blocks=(1,) * n,
            num_channels=CHANNELS[:n],
            num_heads=HEADS[:n],
            mlp_ratios=(2,) * n,
            window_sizes=(3,) * n,
        )

    return dict(
        drop_path_rate=0.0,
        stage1=dict(num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(1,), num_channels=(8,)),
        stage2=stage(2),
        stage3=stage(3),
        stage4=dict(stage(4), multiscale_output=True),
    )


@pytest.fixture
def models():
    """Return our model and mmpose's with the same random weights in evaluation mode."""
    theirs = mmpose_models.backbones.HRFormer(extra())
    for name, value in theirs.state_dict().items():
        if name.endswith(('running_mean', 'bias', 'bias_table')):
            value.normal_(0, 0.3)
        elif name.endswith('running_var'):
            value.uniform_(0.5, 1.5)
    ours = HRFormer(extra=extra())
    ours.load_state_dict(theirs.state_dict())
    ours.eval()
    theirs.eval()
    return ours, theirs


@pytest.fixture
def image():
    return torch.randn(2, 3, 64, 96)  # mmpose's supports few sizes


def total(maps):
    return sum((m * torch.linspace(-1, 1, m.numel()).view_as(m)).sum() for m in maps)


def check_equal(ours, theirs, bound=1e-5):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        assert (a - b).norm() <= bound * b.norm()


@pytest.mark.parametrize(
    'mode',
    [
        dict(),
        dict(out_indices=(0, 2)),
        dict(with_cp=True),
        dict(with_cp='cheap'),
        dict(with_dwconv=False, shift_windows=True),
        dict(with_pad_mask=True, with_rpe=False),
    ],
)
@pytest.mark.parametrize('train', [True, False])
def test_every_module_is_called_and_its_output_is_used(mode, train, image):
    arch = dict(num_modules=(1, 1, 1, 1), channels=CHANNELS, num_heads=HEADS)
    model = HRFormer(arch=arch, window_sizes=3, drop_path_rate=0.2, **mode).train(train)
    captured = {}

    called = set()

    def hook(module, inputs, output):
        called.add(module)
        # Activation checkpointing calls the module again to recompute it.
        if module not in captured and isinstance(output, torch.Tensor):
            captured[module] = output, output.detach().clone()

    for module in model.modules():
        module.register_forward_hook(hook)
    with torch.set_grad_enabled(train):
        out = model(image)
    if train:
        total(out).backward()
    assert not [name for name, m in model.named_modules() if m not in called and type(m) is not nn.ModuleList]
    assert not [
        m
        for m, (output, copied) in captured.items()
        if isinstance(output, torch.Tensor) and not torch.equal(output, copied)
    ]


def test_replaced_child_is_used(models, image):
    """Replacing any leaf module changes the output."""

    class Shifted(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            return self.inner(x) + 1

    ours, _ = models
    with torch.no_grad():
        before = ours(image)
        for path in (
            'conv1',
            'bn2',
            'layer1.0.conv2',
            'stage2.0.branches.0.0.norm1',
            'stage2.0.branches.0.0.attn.attn.qkv',
            'stage2.0.branches.1.0.attn.attn.proj',
            'stage3.0.branches.2.0.ffn.fc1',
            'stage3.0.branches.2.0.ffn.norm1',
            'stage3.0.branches.0.0.ffn.dw3x3',
            'stage4.0.branches.3.0.ffn.fc2',
            'stage4.0.branches.0.0.attn',
            'stage4.0.branches.0.0.ffn',
            'stage4.0.branches.0.0.drop_path',
            'stage4.0.fuse_layers.0.3.0',
        ):
            model = copy.deepcopy(ours)
            parent, _, name = path.rpartition('.')
            setattr(model.get_submodule(parent), name, Shifted(ours.get_submodule(path)))
            assert any(not torch.allclose(a, b, atol=1e-6) for a, b in zip(model(image), before)), path


def test_lora_by_peft(models, image):
    peft = pytest.importorskip('peft')
    grads = []
    for model in models:
        config = peft.LoraConfig(r=2, target_modules=['qkv', 'proj', 'fc1'], init_lora_weights=False)
        adapted = peft.get_peft_model(model, config)
        torch.manual_seed(1)
        for name, parameter in sorted(adapted.named_parameters()):
            if 'lora_' in name:
                parameter.data.normal_(0, 0.2)
        out = adapted(image)
        total(out).backward()
        grads.append({name: p.grad for name, p in sorted(adapted.named_parameters()) if 'lora_' in name})
        grads[-1]['out'] = out[0]
    assert list(grads[0]) == list(grads[1]) and all(grad.abs().max() > 0 for grad in grads[0].values())
    check_equal(list(grads[0].values()), list(grads[1].values()), 1e-4)


def test_lora_by_mmpretrain(models, image):
    pytest.importorskip('mmpretrain')
    from mmpretrain.models import LoRAModel

    targets = [dict(type='.*qkv'), dict(type='.*proj')]
    theirs, ours = (
        LoRAModel(dict(type=f'{scope}.HRFormer', extra=extra()), targets=targets, rank=2, alpha=2).eval()
        for scope in ('mmpose', 'hrformer_mm')
    )
    for name, value in theirs.named_parameters():
        if 'lora_' in name:
            value.data.normal_(0, 0.2)
    for tensors in ('named_parameters', 'named_buffers'):  # the state dict of such a model holds adapters only
        for (name, own), (other, value) in zip(*(sorted(getattr(m, tensors)()) for m in (ours, theirs))):
            assert name == other
            own.data.copy_(value)
    outs = ours.module(image), theirs.module(image)
    check_equal(*outs)
    grads = []
    for model, out in zip((ours, theirs), outs):
        total(out).backward()
        grads.append([p.grad for name, p in sorted(model.named_parameters()) if p.requires_grad])
    assert len(grads[0]) == 2 * 2 * 9 and all(grad.abs().max() > 0 for grad in grads[0])
    check_equal(*grads, bound=1e-4)


@pytest.mark.parametrize('kind', ['spectral_norm', 'old spectral_norm', 'weight_norm', 'old weight_norm', 'prune'])
def test_reparametrization(models, image, kind):
    from torch.nn.utils import parametrizations, prune

    functions = {
        'spectral_norm': parametrizations.spectral_norm,
        'old spectral_norm': torch.nn.utils.spectral_norm,
        'weight_norm': parametrizations.weight_norm,
        'old weight_norm': torch.nn.utils.weight_norm,
        'prune': lambda m: prune.l1_unstructured(m, 'weight', 0.5),
    }
    plain, outs = models[0](image), []
    for model in models:
        for name, module in list(model.named_modules()):
            if name.endswith(('qkv', 'proj', 'fc1', 'fc2', 'dw3x3')):
                torch.manual_seed(1)
                functions[kind](module)
        model.eval()
        outs.append(model(image))
    check_equal(*outs)
    if 'weight' not in kind:  # weight normalization does not change the weight before training
        assert (outs[0][0] - plain[0]).norm() > 1e-3 * plain[0].norm()


def test_dynamic_quantization(models, image):
    outs, linear = [], nn.Linear(6, 4)
    nn.init.normal_(linear.weight)
    for model in models:
        model = nn.Sequential(model, SelectFirst(), linear)
        quantized = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
        with torch.no_grad():
            outs.append([quantized(image)])
    check_equal(*outs, bound=2e-2)  # a value next to a step of 8 bits may round up in one and down in the other


class SelectFirst(nn.Module):
    def forward(self, maps):
        return maps[0].mean((2, 3))


def test_torchao_int8(models, image):
    quantization = pytest.importorskip('torchao.quantization')
    outs = []
    for model in models:
        quantization.quantize_(model, quantization.Int8WeightOnlyConfig())
        assert type(model.stage2[0].branches[0][0].attn.attn.qkv.weight) is not nn.Parameter
        with torch.no_grad():
            outs.append(model(image))
    check_equal(*outs)


def test_full_backward_hooks(models, image):
    found = []
    for model in models:
        grads = {}
        for name, module in model.named_modules():
            if name.endswith(('attn', 'ffn', 'qkv', 'norm1')):
                module.register_full_backward_hook(lambda m, i, o, name=name: grads.update({name: o[0].norm()}))
        total(model(image)).backward()
        found.append(grads)
    assert len(found[0]) == sum(name.endswith(('attn', 'ffn', 'qkv', 'norm1')) for name, _ in models[0].named_modules())
    for name, own in found[0].items():  # mmpose calls some of them with other shapes: compare equal shapes
        if name.endswith('ffn') or name.count('norm1') and 'ffn' in name:
            assert torch.allclose(own, found[1][name], rtol=1e-4), name


@pytest.mark.parametrize(
    'layer', ['stage4.0.branches.0.0.ffn.fc2', 'stage3.0.branches.1.0.ffn.norm3', 'layer1.0.conv3']
)
def test_grad_cam(models, image, layer):
    """Compute the class activation map from the outputs captured by hooks, after the backward pass."""
    maps = []
    for model in models:
        captured = []
        handle = model.get_submodule(layer).register_forward_hook(lambda m, i, output: captured.append(output))
        target = model(image)[0].mean((2, 3))[:, 0].sum()
        (grad,) = torch.autograd.grad(target, captured)
        maps.append((grad.mean((2, 3), keepdim=True) * captured[0]).sum(1))
        handle.remove()
    assert maps[0].abs().max() > 0
    check_equal([maps[0]], [maps[1]], 1e-4)


def test_grad_cam_by_its_package(models, image):
    cam = pytest.importorskip('pytorch_grad_cam')
    maps = []
    for model in models:
        model = nn.Sequential(model, SelectFirst())
        with cam.GradCAM(model, [model[0].stage4[0].branches[0][-1].ffn.fc2]) as method:
            maps.append(torch.from_numpy(method(image, [lambda output: output[0]] * len(image))))
    check_equal([maps[0]], [maps[1]], 1e-4)


@pytest.mark.parametrize('transform', ['grad', 'jvp', 'vmap'])
def test_torch_func(models, image, transform):
    torch.manual_seed(1)
    direction, outs = torch.randn_like(image), []
    for model in models:
        model = copy.deepcopy(model).double()
        x, v = image.double(), direction.double()
        if transform == 'grad':
            parameters = dict(model.named_parameters())
            grads = torch.func.grad(lambda p: total(torch.func.functional_call(model, p, (x,))))(parameters)
            outs.append([grads[name] for name in sorted(grads)])
        elif transform == 'jvp':
            outs.append(torch.func.jvp(lambda y: model(y)[0], (x,), (v,)))
        else:
            outs.append([torch.func.vmap(lambda y: model(y[None])[0][0])(x)])
    check_equal(*outs, bound=1e-8)


def test_double_backward(models, image):
    outs = []
    for model in models:
        model, x = copy.deepcopy(model).double(), image.double().requires_grad_()
        (grad,) = torch.autograd.grad(total(model(x)), x, create_graph=True)
        outs.append(torch.autograd.grad(grad.square().sum(), [x, *model.parameters()], allow_unused=True))
    names = [name for name, _ in models[0].named_parameters()]
    others = dict(zip([name for name, _ in models[1].named_parameters()], outs[1][1:]))
    for name, own in zip(names, outs[0][1:]):
        torch.testing.assert_close(own, others[name], rtol=1e-6, atol=1e-9, msg=name)


@pytest.mark.filterwarnings('ignore::torch.jit.TracerWarning', 'ignore::DeprecationWarning')
@pytest.mark.parametrize('grad', [True, False])
def test_trace(models, image, grad):
    """A traced module is exact, or raises an error for a size whose padding differs from that of the traced size."""
    ours, theirs = models
    small = image[:, :, :37, :50]
    with torch.set_grad_enabled(grad):
        traced, padded = (torch.jit.trace(ours, x, check_trace=False) for x in (image, small))
        other = torch.randn_like(image)
        check_equal(traced(other), theirs(other))
        for size in ((37, 50), (96, 96), (33, 65), (16, 200)):
            x = torch.randn(1, 3, *size)
            check_equal(padded(x), ours(x))
            if any(side % 32 for side in size):
                with pytest.raises(RuntimeError):
                    traced(x)
            else:
                check_equal(traced(x), ours(x))


def test_trace_of_shifted_windows_raises(image):
    arch = dict(num_modules=(1, 1, 1, 1), channels=CHANNELS, num_heads=HEADS)
    with pytest.raises(NotImplementedError, match='torch.export'):
        torch.jit.trace(HRFormer(arch=arch, window_sizes=3, shift_windows=True), image)
