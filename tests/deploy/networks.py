"""Small networks for the tests of the deployment form."""

import pytest

from hrformer_mm import HRFormer

MICRO = dict(num_modules=(1, 1, 1, 1), channels=(6, 12, 16, 26), num_heads=(1, 2, 2, 2), num_blocks=1)


def net(**kwargs):
    """Return a network in evaluation mode with norms that are not the identity."""
    model = HRFormer(**{'arch': MICRO, 'window_sizes': (7, (5, 3), 4, 3), **kwargs}).eval()
    for name, value in model.state_dict().items():
        if name.endswith('running_var'):
            value.uniform_(0.5, 1.5)
        elif name.endswith(('running_mean', 'bias', 'bias_table')):
            value.normal_(0, 0.2)
        elif value.dim() == 1:
            value.uniform_(0.6, 1.4)
    return model


def segmentor(version):
    """Return a segmentor of mmseg with an OCR head in evaluation mode."""
    registry = pytest.importorskip('mmseg.registry')
    head = dict(
        type='hrformer_mm.OCRHead',
        in_channels=MICRO['channels'],
        channels=16,
        key_channels=8,
        num_classes=5,
        version=version,
    )
    backbone = dict(type='hrformer_mm.HRFormer', arch=MICRO)
    return registry.MODELS.build(
        dict(type='EncoderDecoder', decode_head=head, test_cfg=dict(mode='whole'), backbone=backbone)
    ).eval()


def error(out, expected):
    return max(((a.float() - b).norm() / b.norm()).item() for a, b in zip(out, expected))
