"""Generated pictures of animals in the folder layout of ImageNet-1k, of its first ten classes."""
from pathlib import Path
from typing import Callable, Dict, Tuple

from .animals import draw_animal
from .drawing import image_rng, write_image

# ImageNet's first ten folders, in the order of their labels, and what mmpretrain calls them.
CLASSES = dict(
    n01440764='tench', n01443537='goldfish', n01484850='great white shark', n01491361='tiger shark',
    n01494475='hammerhead', n01496331='electric ray', n01498041='stingray', n01514668='cock', n01514859='hen',
    n01518878='ostrich')


def write_imagenet(folder: Path, counts: Dict[str, int], size: Tuple[int, int], seed: int,
                   progress: Callable) -> None:
    """Write image folders and ``meta/`` below ``folder``; see :func:`hrformer_mm.data.synthesize`."""
    meta = folder / 'meta'
    meta.mkdir(parents=True)
    # For reading without annotation files: the stock data set then expects 1000 folders, unless told the classes.
    (meta / 'classes.txt').write_text(''.join(f'{name}\n' for name in CLASSES.values()), encoding='utf-8')
    for split, count in counts.items():
        lines = []
        for index in progress(range(count), f'imagenet/{split}'):
            rng = image_rng(seed, f'imagenet/{split}', index)
            label = index % len(CLASSES)
            wordnet_id, animal = list(CLASSES.items())[label]
            prefix = wordnet_id if split == 'train' else 'ILSVRC2012_val'
            name = f'{wordnet_id}/{prefix}_{index + 1:08d}.JPEG'
            write_image(folder / split / name, draw_animal(rng, size, animal))
            lines.append(f'{name} {label}\n')
        (meta / f'{split}.txt').write_text(''.join(sorted(lines)), encoding='utf-8')
