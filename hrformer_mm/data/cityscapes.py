"""Generated street scenes in the layout of Cityscapes (fine annotations)."""
from pathlib import Path
from typing import Callable, Dict, Tuple

import numpy as np

from .drawing import image_rng, write_image
from .street import draw_street

IGNORE = 255
# Cityscapes' own ids, in the order of the 19 train ids; every other id is ignored in training.
LABEL_IDS = dict(
    road=7, sidewalk=8, building=11, wall=12, fence=13, pole=17, traffic_light=19, traffic_sign=20, vegetation=21,
    terrain=22, sky=23, person=24, rider=25, car=26, truck=27, bus=28, train=31, motorcycle=32, bicycle=33)
IGNORED_IDS = dict(ego_vehicle=1, static=4, rail_track=10)

# Towns that do not exist: no name of the real data set can be meant.
TOWNS = dict(train=('arborton', 'brookmere', 'cinderford'), val=('dalewick', 'eastholm'), test=('fernleigh', ))


def train_ids(label_ids: np.ndarray) -> np.ndarray:
    """Train ids (0 to 18, 255 for ignored) of a map of Cityscapes' label ids; same shape, uint8."""
    table = np.full(256, IGNORE, dtype=np.uint8)
    table[list(LABEL_IDS.values())] = np.arange(len(LABEL_IDS), dtype=np.uint8)
    return table[label_ids]


def write_cityscapes(folder: Path, counts: Dict[str, int], size: Tuple[int, int], seed: int,
                     progress: Callable) -> None:
    """Write ``leftImg8bit/`` and ``gtFine/`` below ``folder``; see :func:`hrformer_mm.data.synthesize`."""
    for split, count in {**counts, 'test': counts['val']}.items():
        towns = TOWNS[split]
        for index in progress(range(count), f'cityscapes/{split}'):
            rng = image_rng(seed, f'cityscapes/{split}', index)
            image, label_ids = draw_street(rng, size, index, {**LABEL_IDS, **IGNORED_IDS})
            town = towns[index % len(towns)]
            name = f'{town}/{town}_{index // len(towns):06d}_000000'
            write_image(folder / f'leftImg8bit/{split}/{name}_leftImg8bit.png', image)
            if split == 'test':  # its labels are the server's
                label_ids = np.zeros_like(label_ids)
            write_image(folder / f'gtFine/{split}/{name}_gtFine_labelIds.png', label_ids)
            write_image(folder / f'gtFine/{split}/{name}_gtFine_labelTrainIds.png', train_ids(label_ids))
