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
    """Keypoints (17, 2) drawn by the config's codec and read by the head; by mmpose's codec; both (17, 2)."""
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
        # UDP measures from pixel centre to pixel centre, and mmpose's reads them as parts of the whole width.
        stretch = np.array([width / (width - 1), height / (height - 1)]) if kind == 'udp-' else 1
        errors[kind] = np.linalg.norm(ours - keypoints * stretch, axis=1).mean()
    # Pixels of the image, four to a pixel of the heatmap: both read fractions that a shift of a quarter cannot.
    assert max(errors['udp-'], errors['dark-']) < 0.1 < 0.5 * errors['']
