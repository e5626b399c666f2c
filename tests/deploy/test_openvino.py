import copy
import pickle
import sys

import pytest
import torch
from torch import nn

from hrformer_mm import to_deploy
from hrformer_mm.deploy import is_deployed, openvino
from tests.deploy.networks import MICRO, error, net, segmentor

pytest.importorskip('openvino', reason="OpenVINO is not installed: pip install 'hrformer_mm[openvino]'")


@pytest.fixture(scope='module')
def pair():
    """Return a model and its copy in OpenVINO."""
    model = net()
    return model, to_deploy(model, engine='openvino')


def test_computes_the_same(pair):
    model, deployed = pair
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        first, wanted = deployed(x), model(x)
        assert error(first, wanted) < 1e-5
        assert [tuple(y.shape) for y in first] == [tuple(y.shape) for y in wanted]
        kept = [y.clone() for y in first]
        deployed(-x)
    assert all(torch.equal(a, b) for a, b in zip(first, kept))  # outputs are new tensors
    assert deployed(x.bfloat16())[0].dtype == torch.bfloat16
    assert is_deployed(deployed) and not deployed.state_dict()
    assert [y.shape[0] for y in deployed(x[:0])] == [0] * 4


@pytest.mark.slow
def test_other_shapes(pair, monkeypatch):
    """Only the most recently used compiled models are cached."""
    model, deployed = pair
    monkeypatch.setattr(openvino, 'SHAPES', 2)
    with torch.no_grad():
        for n, *size in ((2, 45, 70), (1, 1, 1), (1, 64, 64)):
            x = torch.randn(n, 3, *size)
            assert error(deployed(x), model(x)) < 1e-5
    assert len(deployed._compiled) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    'options',
    [
        dict(fuse_upsample='bilinear', out_indices=(0,)),
        dict(with_rpe=False),
        dict(with_pad_mask=True),
        dict(with_dwconv=False),
        dict(arch=dict(MICRO, num_blocks=2), shift_windows=True),
    ],
)
def test_options(options):
    model = net(**options)
    deployed = to_deploy(model, engine='openvino')
    with torch.no_grad():
        for n, *size in ((1, 130, 33), (2, 64, 48)):
            x = torch.randn(n, 3, *size)
            assert error(deployed(x), model(x)) < 1e-5


@pytest.mark.slow
def test_bf16(pair):
    model, x = pair[0], torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        got = to_deploy(model, engine='openvino', dtype='bf16')(x)
        assert got[0].dtype == torch.float32
        assert error(got, model(x)) < 3e-2
        # The engine computes in the requested precision, even if its default is bfloat16.
        assert error(pair[1](x), model(x)) < 1e-5


@pytest.mark.slow
def test_copies_and_files(pair):
    deployed, x = pair[1], torch.randn(1, 3, 64, 64)
    for other in (copy.deepcopy(deployed), pickle.loads(pickle.dumps(deployed))):
        assert error(other(x), deployed(x)) < 1e-6


def test_cannot_be_trained(pair):
    with pytest.raises(RuntimeError, match='cannot be trained: train the model that it was made from'):
        nn.Sequential(pair[1]).train()
    with pytest.raises(RuntimeError, match='computes no gradients'):
        pair[1](torch.randn(1, 3, 64, 64, requires_grad=True))


def test_wrong_arguments(pair, monkeypatch):
    model = pair[0]
    with pytest.raises(ValueError, match="engine is 'tensorrt', but must be"):
        to_deploy(model, engine='tensorrt')
    with pytest.raises(ValueError, match="dtype is 'int4', but must be"):
        to_deploy(model, engine='openvino', dtype='int4')
    with pytest.raises(
        ValueError, match=r"dtype is 'bf16', but requires engine='openvino': use .*to\(torch.bfloat16\)"
    ):
        to_deploy(model, dtype='bf16')
    with pytest.raises(ValueError, match="compile is incompatible with engine='openvino'"):
        to_deploy(model, compile=True, engine='openvino')
    with pytest.raises(ValueError, match='in the deployment form already'):
        to_deploy(pair[1])
    with pytest.raises(ValueError, match="norm_cfg is of type 'GN', with which OpenVINO crashes"):
        to_deploy(net(norm_cfg=dict(type='GN', num_groups=2)), engine='openvino')
    monkeypatch.setitem(sys.modules, 'openvino', None)
    with pytest.raises(ImportError, match=r"OpenVINO is not installed: pip install 'hrformer_mm\[openvino\]'"):
        to_deploy(model, engine='openvino')


@pytest.mark.slow
@pytest.mark.parametrize('version', ['v2', 'v3'])
def test_segmentor(version):
    metas = [dict(img_shape=(64, 96))] * 2
    model = segmentor(version)
    deployed, x = to_deploy(model, engine='openvino'), torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        got, wanted = (m.encode_decode(x, metas) for m in (deployed, model))
    assert not list(deployed.parameters())
    assert error([got], [wanted]) < 1e-5


@pytest.mark.slow
def test_pose_estimator_and_classifier():
    pose, cls = pytest.importorskip('mmpose.registry'), pytest.importorskip('mmpretrain.registry')
    backbone = dict(type='hrformer_mm.HRFormer', arch=MICRO)
    models = [
        pose.MODELS.build(
            dict(
                type='TopdownPoseEstimator',
                backbone=dict(backbone, out_indices=(0,)),
                head=dict(type='hrformer_mm.TopdownHeatmapHead', in_channels=6, out_channels=17),
            )
        ),
        cls.MODELS.build(
            dict(
                type='ImageClassifier',
                backbone=backbone,
                head=dict(type='LinearClsHead', in_channels=32, num_classes=7),
                neck=[
                    dict(
                        type='hrformer_mm.ClassificationNeck',
                        in_channels=MICRO['channels'],
                        channels=(4, 4, 4, 4),
                        out_channels=32,
                    ),
                    dict(type='GlobalAveragePooling'),
                ],
            )
        ),
    ]
    x = torch.randn(1, 3, 64, 64)
    for model in models:
        model.eval()
        with torch.no_grad():
            got = to_deploy(model, engine='openvino')(x, None, mode='tensor')
            assert error([got], [model(x, None, mode='tensor')]) < 1e-5
