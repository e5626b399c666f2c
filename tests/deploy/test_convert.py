import copy
import pickle

import pytest
import torch
from torch import nn

from hrformer_mm import to_deploy
from hrformer_mm.deploy import row_tiles
from tests.deploy.networks import MICRO, error, net, segmentor


@pytest.mark.parametrize(
    'options',
    [
        dict(),
        dict(fuse_upsample='bilinear', out_indices=(0,)),
        dict(with_rpe=False),
        dict(with_pad_mask=True),
        dict(norm_cfg=dict(type='GN', num_groups=2)),
        dict(with_dwconv=False),
        dict(arch=dict(MICRO, num_blocks=2), shift_windows=True),
        dict(with_dwconv=False, norm_cfg=dict(type='GN', num_groups=2)),
    ],
)
def test_computes_the_same(options):
    model = net(**options)
    deployed = to_deploy(model)
    with torch.no_grad():
        for n, *size in ((1, 64, 64), (3, 45, 70), (2, 1, 1), (1, 130, 33)):
            x = torch.randn(n, 3, *size)
            assert error(deployed(x), model(x)) < 1e-5


def test_all_batch_norms_are_folded():
    deployed = to_deploy(net())
    assert not any(isinstance(m, nn.BatchNorm2d) for m in deployed.modules())
    assert not any(p.requires_grad for p in deployed.parameters())


def test_does_not_modify_the_model():
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
        deployed(x)  # the weights are packed now, and must be packed again for another dtype
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


@pytest.mark.parametrize('edit', ['load', 'in place', 'data'])
def test_packed_weights_follow_changes(edit):
    """Packed copies of weights are updated."""
    deployed, other, x = to_deploy(net()), to_deploy(net()), torch.randn(1, 3, 40, 40)
    with torch.no_grad():
        expected = other(x)
        assert error(deployed(x), expected) > 0.1
        if edit == 'load':
            deployed.load_state_dict(other.state_dict())
        else:
            for own, new in zip([*deployed.parameters(), *deployed.buffers()], [*other.parameters(), *other.buffers()]):
                if edit == 'data':
                    own.data = new.data.clone()
                else:
                    own.copy_(new)
        assert error(deployed(x), expected) < 1e-6


def test_conversion_in_inference_mode():
    model, x = net(), torch.randn(1, 3, 40, 40)
    with torch.inference_mode():
        assert error(to_deploy(model)(x), model(x)) < 1e-5


@pytest.mark.parametrize('size', [(8, 32), (19, 11)])
def test_row_tiles(monkeypatch, size):
    """Compare tiles of a few rows and of several images with the whole map."""
    model = net()
    deployed, x = to_deploy(model), torch.randn(3, 3, 4 * size[0], 4 * size[1])
    with torch.no_grad():
        expected = model(x)
        for limit in (2**10, 2**13, 2**16):
            monkeypatch.setattr(row_tiles, 'TILE_BYTES', limit)
            assert error(deployed(x), expected) < 1e-5


def test_input_gradient():
    model = net()
    x = torch.randn(1, 3, 40, 40, requires_grad=True)
    grads = [torch.autograd.grad(sum((y**2).mean() for y in m(x)), x)[0] for m in (model, to_deploy(model))]
    assert torch.allclose(*grads, rtol=1e-3, atol=1e-6)


def test_ocr_head():
    """Check both versions; the first convolutions of 'v2' are merged."""
    for version in ('v2', 'v3'):
        model = segmentor(version)
        deployed, x = to_deploy(model), torch.randn(2, 3, 64, 96)
        with torch.no_grad():
            both = [m.decode_head.forward_both(m.extract_feat(x)) for m in (copy.deepcopy(deployed), model)]
        assert error(*both) < 1e-5
        assert hasattr(deployed.decode_head, 'pixels') == (version == 'v3')


def test_folds_only_directly_following_norms():
    """Do not fold norms in heads with a layer between convolution and norm, or with children in another order."""

    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(16, 16, 1), nn.BatchNorm2d(16)

        def forward(self, x):
            return self.conv(self.norm(x))

    model = nn.Sequential()
    model.backbone = net(out_indices=(2,))
    model.head = nn.Sequential(
        nn.Conv2d(16, 16, 1), nn.ReLU(), nn.BatchNorm2d(16), Odd(), nn.Conv2d(16, 8, 1), nn.BatchNorm2d(8)
    )
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


def test_model_without_hrformer_raises():
    with pytest.raises(ValueError, match='Linear contains no hrformer_mm.HRFormer'):
        to_deploy(nn.Linear(2, 2))


def test_deployed_model_raises():
    deployed = to_deploy(net())
    with pytest.raises(ValueError, match='HRFormer is in the deployment form already: use it unchanged'):
        to_deploy(deployed)
