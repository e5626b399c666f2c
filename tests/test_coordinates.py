"""UDP and DARK in the configs' heads: encoding and decoding by mmpose's codecs, and better precision than without."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

import hrformer_mm  # noqa: F401

CONFIGS = Path(__file__).parents[1] / 'configs'


def decode(name, keypoints):
    """Return keypoints (17, 2) that the head and mmpose's codec decode from heatmaps of the config's codec."""
    from mmpose.registry import KEYPOINT_CODECS

    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    codec = KEYPOINT_CODECS.build(cfg.codec)
    heatmaps = codec.encode(keypoints[None], np.ones((1, 17), np.float32))['heatmaps']
    with DefaultScope.overwrite_default_scope('mmpose'):
        head = MODELS.build(cfg.model.head)
    (found,) = head.decode(torch.from_numpy(heatmaps)[None])
    return found.keypoints[0], codec.decode(heatmaps)[0][0]


@pytest.mark.parametrize('size', ['256x192', '384x288'])
def test_decoding(size):
    height, width = map(int, size.split('x'))
    keypoints = np.random.default_rng(0).uniform(0.2, 0.8, (17, 2)).astype(np.float32) * (width, height)
    errors = {}
    for kind in ('', 'udp-', 'dark-'):
        ours, theirs = decode(f'td-hm_hrformer-s_{kind}coco-{size}', keypoints)
        assert np.abs(ours - theirs).max() < 1e-4
        # UDP measures between pixel centers, while mmpose decodes fractions of the whole width.
        stretch = np.array([width / (width - 1), height / (height - 1)]) if kind == 'udp-' else 1
        errors[kind] = np.linalg.norm(ours - keypoints * stretch, axis=1).mean()
    # In image pixels, four per heatmap pixel: both resolve fractions that a quarter-pixel shift cannot.
    assert max(errors['udp-'], errors['dark-']) < 0.1 < 0.5 * errors['']
