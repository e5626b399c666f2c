"""Write generated data sets where the stock configs look for the real ones."""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from .layouts import write_coco, write_imagenet, write_segmentation
from .scene import draw_scene

MARKER = '.synthetic'
MIN_SIDE = 64
# Images for training and for validation, their width and height, what they show, and the function that writes them.
LAYOUTS = dict(
    cityscapes=(48, 12, (256, 128), 'street', write_segmentation),
    coco=(64, 16, (256, 256), 'people', write_coco),
    imagenet=(300, 50, (96, 96), 'class', write_imagenet),
    VOCdevkit=(24, 12, (256, 192), 'street', write_segmentation),
    coco_stuff10k=(24, 12, (256, 192), 'street', write_segmentation),
    ade=(24, 12, (256, 192), 'street', write_segmentation),
    custom=(24, 12, (256, 192), 'people', write_segmentation),
)
WITH_TEST_SET = ('cityscapes', 'coco')  # of the size of the validation set


def synthesize(
    root: str | Path,
    layouts: Sequence[str] = tuple(LAYOUTS),
    seed: int = 0,
    progress: Callable[[Iterable, str], Iterable] | None = None,
    *,
    train: int | None = None,
    val: int | None = None,
    size: tuple[int, int] | None = None,
) -> list[Path]:
    """Generate small data sets in the on-disk layouts of those that the configs name.

    The libraries' own data set classes read them, and they are learnable from scratch on a CPU. The same arguments give
    the same bytes (with the same versions of NumPy and OpenCV); asking for fewer images or layouts changes none of the
    others. A folder that this function wrote is replaced.

    Args:
        root (str | Path): Folder to hold the layouts, usually ``data``; created if it is missing.
        layouts (Sequence[str]): Folders to write: ``'cityscapes'``, ``'coco'`` (boxes, keypoints, COCO-WholeBody),
            ``'imagenet'``, ``'VOCdevkit'`` (PASCAL-Context), ``'coco_stuff10k'``, ``'ade'``, ``'custom'``.
        seed (int): Another seed gives other images; 0 or more. Default: 0.
        progress (callable, optional): Called with an iterable over the images and a description; returns the iterable
            to go through, e.g. one that draws a progress bar.
        train (int, optional): Images of each training set. Default: 24 to 300, by layout.
        val (int, optional): Images of each validation set, and of Cityscapes' and COCO's test sets. Default: 12 to 50.
        size (Tuple[int, int], optional): Width and height in pixels, each at least 64. By default the layout's.

    Returns:
        List[Path]: The folders written, in the order asked for.

    Raises:
        ValueError: For an argument out of range; nothing is written.
        FileExistsError: If a layout's folder holds anything but an earlier output; nothing is written.
    """
    names = [layouts] if isinstance(layouts, str) else list(dict.fromkeys(layouts))
    if not names or not set(names) <= set(LAYOUTS):
        raise ValueError(f'layouts={layouts!r}: choose one or more of {", ".join(LAYOUTS)}')
    check_integer('seed', seed, 0)
    check_integer('train', 1 if train is None else train, 1)
    check_integer('val', 1 if val is None else val, 1)
    if size is not None:
        if not isinstance(size, Sequence) or len(size) != 2:
            raise ValueError(f'size={size!r}: must be a width and a height in pixels, e.g. (256, 128)')
        check_integer('size (width)', size[0], MIN_SIDE)
        check_integer('size (height)', size[1], MIN_SIDE)
    targets = [Path(root, name) for name in names]
    for target in targets:
        check_target(target)

    Path(root).mkdir(parents=True, exist_ok=True)
    for target in targets:
        default_train, default_val, default_size, subject, write = LAYOUTS[target.name]
        counts = dict(train=train or default_train, val=val or default_val)
        if target.name in WITH_TEST_SET:
            counts['test'] = counts['val']
        # The folder gets its name when it is complete.
        with tempfile.TemporaryDirectory(prefix=f'.{target.name}-', dir=root) as workshop:
            new = Path(workshop, 'new')
            new.mkdir()
            for split, count in counts.items():
                name = f'{target.name}/{split}'
                indices = progress(range(count), name) if progress else range(count)
                scenes = (
                    draw_scene(
                        np.random.default_rng([seed, crc32(name.encode()), index]),
                        tuple(size or default_size),
                        subject,
                        index,
                    )
                    for index in indices
                )
                write(new, target.name, split, scenes)
            # The marker lists the files, itself too, so that a later call knows what it may delete.
            (new / MARKER).write_text('\n'.join([MARKER, *list_files(new), '']), encoding='utf-8')
            if target.exists():
                target.rename(Path(workshop, 'old'))
            new.rename(target)
    return targets


def check_integer(key: str, value: Any, least: int) -> None:
    """Raise ValueError unless ``value`` is an integer of at least ``least``."""
    if not isinstance(value, Integral) or value < least:
        raise ValueError(f'{key}={value!r}: must be an integer of at least {least}')


def check_target(target: Path) -> None:
    """Raise FileExistsError if ``target`` holds anything that an earlier call did not write."""
    remedy = 'Choose another root folder, or move it away.'
    # A link often leads to the real data set, which must not lose its name.
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise FileExistsError(f'{target} exists and is not a plain folder. {remedy}')
    marker = target / MARKER
    ours = set(marker.read_text(encoding='utf-8').splitlines()) if marker.is_file() else set()
    foreign = next((name for name in list_files(target) if name not in ours), None)
    if foreign is not None:
        raise FileExistsError(f'{target} holds {foreign}, which was not generated here; nothing is replaced. {remedy}')


def list_files(folder: Path) -> list[str]:
    """All that lies below ``folder`` except folders, as sorted relative names with forward slashes."""
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob('*') if path.is_symlink() or not path.is_dir()
    )
