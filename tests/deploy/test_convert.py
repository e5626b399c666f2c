import copy
import pickle

import pytest
import torch
from torch import nn

from hrformer_mm import HRFormer, to_deploy

MICRO = dict(num_modules=(1, 1, 1, 1), channels=(18, 36, 64, 78), num_heads=(1, 2, 2, 2))


def net(**kwargs):
    """A network whose norms do something, in evaluation mode."""
    model = HRFormer(**{'arch': MICRO, 'window_sizes': (7, (5, 3), 4, 3), **kwargs}).eval()
    for name, value in model.state_dict().items():
        if name.endswith('running_var'):
            value.uniform_(0.5, 1.5)
        elif name.endswith(('running_mean', 'bias', 'bias_table')):
            value.normal_(0, 0.2)
        elif value.dim() == 1:
            value.uniform_(0.6, 1.4)
    return model


def error(out, expected):
    return max(((a.float() - b).norm() / b.norm()).item() for a, b in zip(out, expected))


@pytest.mark.parametrize('options', [
    dict(), dict(fuse_upsample='bilinear', out_indices=(0, )), dict(with_rpe=False), dict(with_pad_mask=True),
    dict(norm_cfg=dict(type='GN', num_groups=2)), dict(arch=dict(MICRO, num_heads=(1, 1, 1, 3))),
    dict(with_dwconv=False), dict(shift_windows=True), dict(with_dwconv=False, norm_cfg=dict(type='GN', num_groups=2)),
])
def test_computes_the_same(options):
    model = net(**options)
    deployed = to_deploy(model)
    with torch.no_grad():
        for size in ((64, 64), (45, 70), (1, 1), (64, 64), (130, 33)):
            for n in (1, 3):
                x = torch.randn(n, 3, *size)
                assert error(deployed(x), model(x)) < 1e-5


def test_has_no_norm_of_batches_left():
    deployed = to_deploy(net())
    assert not any(isinstance(m, nn.BatchNorm2d) for m in deployed.modules())
    assert not any(p.requires_grad for p in deployed.parameters())


def test_leaves_the_model_as_it_was():
    model = net().train()
    before = copy.deepcopy(model.state_dict())
    to_deploy(model)
    assert model.training and all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(p.requires_grad for p in model.parameters())


def test_other_dtypes_and_an_empty_batch():
    model = net()
    deployed, x = to_deploy(model), torch.randn(2, 3, 64, 48)
    with torch.no_grad():
        expected = model(x)
        deployed(x)  # weights are packed now, and have to be packed anew for another dtype
        assert error(copy.deepcopy(deployed).bfloat16()(x.bfloat16()), expected) < 3e-2
        assert error(copy.deepcopy(deployed).double()(x.double()), expected) < 1e-5
        with torch.autocast('cpu', dtype=torch.bfloat16):
            assert error(deployed(x), expected) < 3e-2
        assert error(deployed(x), expected) < 1e-5
    assert [m.shape[0] for m in deployed(x[:0])] == [0] * 4
    assert to_deploy(model.double())(x.double())[0].dtype == torch.float64


def test_copies_and_files():
    deployed, x = to_deploy(net()), torch.randn(1, 3, 40, 40)
    with torch.no_grad():
        expected = deployed(x)
        for other in (copy.deepcopy(deployed), pickle.loads(pickle.dumps(deployed))):
            assert error(other(x), expected) < 1e-6
        fresh = to_deploy(net())
        fresh.load_state_dict(deployed.state_dict())
        assert error(fresh(x), expected) < 1e-6


def test_a_gradient_of_the_input_is_right():
    model = net()
    x = torch.randn(1, 3, 40, 40, requires_grad=True)
    grads = [torch.autograd.grad(sum((y**2).mean() for y in m(x)), x)[0] for m in (model, to_deploy(model))]
    assert torch.allclose(*grads, rtol=1e-3, atol=1e-6)


def test_folds_only_what_follows_directly():
    """A head in which something stands between convolution and norm, or whose children are not in their order."""

    class Odd(nn.Module):

        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(64, 64, 1), nn.BatchNorm2d(64)

        def forward(self, x):
            return self.conv(self.norm(x))

    model = nn.Sequential()
    model.backbone = net(out_indices=(2, ))
    model.head = nn.Sequential(nn.Conv2d(64, 64, 1), nn.ReLU(), nn.BatchNorm2d(64), Odd(), nn.Conv2d(64, 8, 1),
                               nn.BatchNorm2d(8))
    for m in model.head.modules():
        if isinstance(m, nn.BatchNorm2d):
            nn.init.uniform_(m.running_mean)
            nn.init.uniform_(m.weight)
    model.eval()
    deployed = to_deploy(model)
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        assert error([deployed.head(deployed.backbone(x)[0])], [model.head(model.backbone(x)[0])]) < 1e-5
    assert sum(isinstance(m, nn.BatchNorm2d) for m in deployed.modules()) == 2


def test_a_model_without_hrformer():
    with pytest.raises(ValueError, match='Linear has no hrformer_mm.HRFormer in it'):
        to_deploy(nn.Linear(2, 2))


def test_a_model_in_this_form_already():
    deployed = to_deploy(net())
    with pytest.raises(ValueError, match='HRFormer is in its form for inference already: take it as it is'):
        to_deploy(deployed)
