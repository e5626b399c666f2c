import numpy as np
import pytest
from PIL import Image

from hrformer_mm.runtime import pillow


@pytest.mark.parametrize('interpolation', pillow.INTERPOLATIONS)
@pytest.mark.parametrize('size', [(31, 41), (40, 17), (31, 53), (90, 71), (20, 27)])
def test_every_byte_agrees_with_pillow(interpolation, size):
    image = np.random.default_rng(0).integers(0, 256, (53, 40, 3), dtype=np.uint8)
    expected = np.array(Image.fromarray(image).resize(size, getattr(Image.Resampling, interpolation.upper())))
    np.testing.assert_array_equal(pillow.resize(image, size, interpolation), expected)
