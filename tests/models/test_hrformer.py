import copy

import pytest
import torch
from torch import nn

from hrformer_mm.layers import Bottleneck, HRFormerBlock
from hrformer_mm.models.hrformer import HRFormer
from hrformer_mm.weights import write_tensors

MICRO = dict(num_modules=(1, 1, 1, 2), channels=(6, 12, 18, 24), num_heads=(1, 2, 3, 4))


def net(**kwargs):
    model = HRFormer(**{'arch': MICRO, 'window_sizes': (7, 5, 4, 3), **kwargs})
    for name, value in model.state_dict().items():  # no statistics of 0 and 1, which would hide mistakes
        if name.endswith(('running_mean', 'running_var')):
            value.uniform_(0.5, 1.5)
    return model


def gradients(model, x, seed=0):
    torch.manual_seed(seed)
    loss = sum((y**2).mean() for y in model(x))
    names = [n for n, p in model.named_parameters() if p.requires_grad]
    return dict(zip(names, torch.autograd.grad(loss, [p for p in model.parameters() if p.requires_grad])))


def count_runs(model):
    runs = {}
    for name, module in model.named_modules():
        if isinstance(module, (Bottleneck, HRFormerBlock)):
            module.register_forward_pre_hook(lambda *_, name=name: runs.update({name: runs.get(name, 0) + 1}))
    return runs


def test_empty_batch_gives_empty_maps():
    maps = net().eval()(torch.randn(0, 3, 33, 40))
    assert [tuple(m.shape) for m in maps] == [(0, 6, 9, 10), (0, 12, 5, 5), (0, 18, 3, 3), (0, 24, 2, 2)]


def test_memory_layout_does_not_matter():
    model, x = net().eval(), torch.randn(2, 3, 45, 38)
    wide = torch.randn(2, 3, 90, 76)
    wide[:, :, ::2, ::2] = x
    expected = model(x)
    for other in (
        x.contiguous(memory_format=torch.channels_last),
        wide[:, :, ::2, ::2],
        x.transpose(2, 3).contiguous().transpose(2, 3),
    ):
        assert all(torch.equal(a, b) for a, b in zip(model(other), expected))


def test_samples_are_independent():
    model, x = net().eval(), torch.randn(3, 3, 40, 33)
    together = model(x)
    for i in range(3):
        assert all(torch.allclose(a[i : i + 1], b, atol=1e-5) for a, b in zip(together, model(x[i : i + 1])))


def test_out_indices_does_not_change_branches():
    whole, part = net().eval(), net(out_indices=(0, 2)).eval()
    part.load_state_dict({k: v for k, v in whole.state_dict().items() if k in part.state_dict()})
    assert not any('stage4.1.fuse_layers.1' in k or 'stage4.1.fuse_layers.3' in k for k in part.state_dict())
    x = torch.randn(1, 3, 37, 50)
    expected, out = whole(x), part(x)
    assert len(out) == 2 and torch.equal(out[0], expected[0]) and torch.equal(out[1], expected[2])


def test_float64():
    model = net().double().eval()
    assert all(m.dtype == torch.float64 for m in model(torch.randn(1, 3, 20, 20, dtype=torch.float64)))


@pytest.mark.parametrize('drop_path', [0.0, 0.3])
@pytest.mark.parametrize('with_cp', [True, 'cheap'])
def test_checkpointing_changes_neither_gradients_nor_statistics(drop_path, with_cp, figure):
    plain = net(drop_path_rate=drop_path).train()
    saving = net(drop_path_rate=drop_path, with_cp=with_cp).train()
    saving.load_state_dict(plain.state_dict())
    runs = count_runs(saving)
    x = torch.randn(2, 3, 40, 48)
    expected = gradients(plain, x)
    out = gradients(saving, x)
    # Bottlenecks and blocks run once forward and once in the backward pass.
    assert set(runs.values()) == {2} and len(runs) == 2 + 2 * (2 + 3 + 4 + 4)
    for name in expected:
        deviation = ((out[name] - expected[name]).norm() / expected[name].norm().clamp_min(1e-12)).item()
        figure(f'gradients with_cp={with_cp!r}, drop path {drop_path:g}, relative', deviation, 1e-7)
    for (name, a), b in zip(plain.named_buffers(), saving.buffers()):
        assert torch.equal(a, b), name


def test_checkpointing_saves_memory(kept_bytes):
    x = torch.randn(1, 3, 64, 64)
    plain, cheap, full = (kept_bytes(lambda: net(with_cp=with_cp).train()(x)) for with_cp in (False, 'cheap', True))
    assert full < 0.6 * cheap and cheap < 0.7 * plain


def test_drop_path_rate_increases_linearly():
    rates = [
        b.drop_path.drop_prob if hasattr(b.drop_path, 'drop_prob') else 0.0
        for stage in (2, 3, 4)
        for module in net(drop_path_rate=0.35).get_submodule(f'stage{stage}')
        for b in module.branches[0]
    ]
    assert rates == pytest.approx([0.05 * i for i in range(8)])


def test_modes():
    model = net(norm_eval=True, frozen_stages=2)
    assert model.train() is model and model.eval() is model
    model.train()
    assert not any(m.training for m in model.modules() if isinstance(m, nn.BatchNorm2d))
    frozen = ('conv1', 'bn1', 'conv2', 'bn2', 'layer1', 'transition1', 'stage2', 'transition2')
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad == (name.split('.')[0] not in frozen), name
    for name, module in net(frozen_stages=2).train().named_modules():
        if name:
            assert module.training == (name.split('.')[0] not in frozen), name


@pytest.mark.parametrize('frozen_stages', [0, 1, 4])
def test_frozen_stages_do_not_change_in_training(frozen_stages):
    model = net(frozen_stages=frozen_stages, drop_path_rate=0.2).train()
    before = copy.deepcopy(model.state_dict())
    out = model(torch.randn(2, 3, 32, 32))
    frozen = {0: ('conv1', 'bn1'), 1: ('conv1', 'bn1', 'layer1', 'transition1'), 4: ('',)}[frozen_stages]
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items() if k.startswith(frozen))
    assert out[0].requires_grad == (frozen_stages < 4)


def test_norm_cfg_reaches_every_norm():
    model = HRFormer(MICRO, norm_cfg=dict(type='BN', eps=0.01))
    assert {m.eps for m in model.modules() if isinstance(m, nn.BatchNorm2d)} == {0.01}
    model = HRFormer(MICRO, norm_cfg=dict(type='GN', num_groups=2))
    assert not any(isinstance(m, nn.BatchNorm2d) for m in model.modules())


def test_pretrained_takes_a_file(tmp_path):
    source = net()
    write_tensors(source.state_dict(), tmp_path / 'backbone.pth')
    model = HRFormer(MICRO, (7, 5, 4, 3), init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'backbone.pth')))
    model.init_weights()
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), source.state_dict().values()))


def test_pretrained_that_is_missing(tmp_path):
    path = str(tmp_path / 'none.pth')
    with pytest.raises(FileNotFoundError, match='none.pth'):
        HRFormer(MICRO, init_cfg=dict(type='Pretrained', checkpoint=path)).init_weights()
    with pytest.raises(ValueError, match='init_cfg.*lacks.*checkpoint'):
        HRFormer(MICRO, init_cfg=dict(type='Pretrained')).init_weights()
