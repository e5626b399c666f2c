import pytest
import torch
import torch.nn.functional as F

import hrformer_mm  # noqa: F401  (its repairs come before the host library)

pytest.importorskip('mmseg')

from mmengine.registry import DefaultScope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from hrformer_mm.models.ocr_head import OCRHead

CHANNELS = [6, 12, 18, 24]


def head(**kwargs):
    options = dict(in_channels=CHANNELS, num_classes=5, channels=16, key_channels=8)
    return OCRHead(**{**options, **kwargs})


def maps(h=12, w=9, n=2):
    return [torch.randn(n, c, -(-h // 2**i), -(-w // 2**i)) for i, c in enumerate(CHANNELS)]


def samples(labels):
    return [SegDataSample(gt_sem_seg=PixelData(data=label[None])) for label in labels]


def definition(h, inputs):
    """Compute section 3.2 of the OCR paper pixel by pixel and region by region."""
    size = inputs[0].shape[2:]
    x = torch.cat(
        [inputs[0]] + [F.interpolate(m, size=size, mode='bilinear', align_corners=True) for m in inputs[1:]], dim=1
    )
    aux, pixels = h.auxiliary(x), h.pixels(x)
    n, c, height, width = pixels.shape
    regions = torch.zeros(n, c, aux.shape[1], 1)
    for i in range(n):
        for k in range(aux.shape[1]):
            weight = aux[i, k].flatten().softmax(0).view(height, width)
            regions[i, :, k, 0] = (pixels[i] * weight).sum((1, 2))
    query, key, value = h.attention.query(pixels), h.attention.key(regions), h.attention.value(regions)
    context = torch.zeros_like(query)
    for i in range(n):
        for y in range(height):
            for z in range(width):
                scores = (query[i, :, y, z, None] * key[i, :, :, 0]).sum(0) / query.shape[1] ** 0.5
                context[i, :, y, z] = (value[i, :, :, 0] * scores.softmax(0)).sum(1)
    x = h.fuse(torch.cat([h.attention.project(context), pixels], dim=1))
    return h.conv_seg(x), aux


@pytest.mark.parametrize('version', ['v2', 'v3'])
def test_equals_the_definition(version):
    h = head(version=version).eval()
    inputs = maps()
    for out, expected in zip(h.forward_both(inputs), definition(h, inputs)):
        assert torch.allclose(out, expected, atol=1e-5)
    assert torch.equal(h(inputs), h.forward_both(inputs)[0])


def test_losses_equal_mmsegs_losses_at_full_resolution():
    h = head(dropout_ratio=0.0, ignore_index=255).train()
    inputs, labels = maps(), torch.randint(0, 5, (2, 48, 36))
    labels[:, :3] = 255
    losses = h.loss(inputs, samples(labels), None)
    main, aux = h.forward_both(inputs)
    for logits, name, weight in ((main, 'loss_ce', 1.0), (aux, 'loss_auxiliary', 0.4)):
        full = F.interpolate(logits, size=(48, 36), mode='bilinear', align_corners=True)
        expected = F.cross_entropy(full, labels, ignore_index=255, reduction='sum') / labels.numel()
        assert torch.allclose(losses[name], weight * expected, rtol=1e-4)
    assert {k for k in losses if 'loss' in k} == {'loss_ce', 'loss_auxiliary'}


def test_sampler_applies_only_to_the_main_loss():
    torch.manual_seed(0)
    h = head(dropout_ratio=0.0, sampler=dict(type='OHEMPixelSampler', thresh=0.1, min_kept=50)).train()
    plain = head(dropout_ratio=0.0).train()
    plain.load_state_dict(h.state_dict())
    inputs, data = maps(), samples(torch.randint(0, 5, (2, 24, 18)))
    mined, whole = h.loss(inputs, data, None), plain.loss(inputs, data, None)
    assert mined['loss_ce'] < 0.5 * whole['loss_ce']
    assert torch.allclose(mined['loss_auxiliary'], whole['loss_auxiliary'])


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(version='v4'), "version is 'v4', but must be one of v2, v3"),
        (dict(in_index=(0, 1)), r'in_index is \(0, 1\), but must have as many entries as in_channels'),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        head(**options)


def test_works_in_mmsegs_encoder_decoder():
    from mmseg.registry import MODELS

    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(
            dict(
                type='EncoderDecoder',
                data_preprocessor=dict(type='SegDataPreProcessor', size=(64, 64), seg_pad_val=255),
                backbone=dict(type='hrformer_mm.HRFormer', arch='tiny'),
                decode_head=dict(type='hrformer_mm.OCRHead', in_channels=[18, 36, 72, 144], num_classes=5, channels=32),
                test_cfg=dict(mode='whole'),
            )
        )
    assert model.num_classes == 5 and model.align_corners
    losses = model.train().loss(torch.randn(2, 3, 64, 64), samples(torch.randint(0, 5, (2, 64, 64))))
    assert {'decode.loss_ce', 'decode.loss_auxiliary', 'decode.acc_seg'} == set(losses)
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    assert all(p.grad is not None for p in model.parameters())
    meta = dict(ori_shape=(50, 60), img_shape=(50, 60), pad_shape=(50, 60), padding_size=[0, 0, 0, 0])
    assert model.eval().encode_decode(torch.randn(1, 3, 50, 60), [meta]).shape == (1, 5, 50, 60)


def test_mmsegs_own_cascade_works_on_the_backbone():
    from mmseg.registry import MODELS

    common = dict(
        in_channels=[18, 36, 72, 144], in_index=(0, 1, 2, 3), channels=8, num_classes=5, norm_cfg=dict(type='BN')
    )
    model = MODELS.build(
        dict(
            type='CascadeEncoderDecoder',
            num_stages=2,
            backbone=dict(type='hrformer_mm.HRFormer', arch='tiny'),
            decode_head=[
                dict(
                    type='FCNHead',
                    input_transform='resize_concat',
                    kernel_size=1,
                    num_convs=1,
                    concat_input=False,
                    **common,
                ),
                dict(type='OCRHead', ocr_channels=8, input_transform='resize_concat', **common),
            ],
            test_cfg=dict(mode='whole'),
        )
    )
    losses = model.train().loss(torch.randn(2, 3, 64, 64), samples(torch.randint(0, 5, (2, 64, 64))))
    assert {'decode_0.loss_ce', 'decode_1.loss_ce'} <= set(losses)
