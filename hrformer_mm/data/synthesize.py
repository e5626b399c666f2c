"""Write synthetic data sets to the paths where the configs expect the real ones."""

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
# Number of training and validation images, their width and height, what they show, and the function that writes them.
LAYOUTS = dict(
    cityscapes=(48, 12, (256, 128), 'street', write_segmentation),
    coco=(64, 16, (256, 256), 'people', write_coco),
    imagenet=(300, 50, (96, 96), 'class', write_imagenet),
    VOCdevkit=(24, 12, (256, 192), 'street', write_segmentation),
    coco_stuff10k=(24, 12, (256, 192), 'street', write_segmentation),
    ade=(24, 12, (256, 192), 'street', write_segmentation),
    custom=(24, 12, (256, 192), 'people', write_segmentation),
)
WITH_TEST_SET = ('cityscapes', 'coco')  # as large as the validation set


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
    """Generate small data sets in the on-disk layouts that the configs expect.

    The data set classes of the libraries read them, and a model learns them from scratch on a CPU. The same arguments
    give the same bytes (with the same versions of NumPy and OpenCV), and each image is independent of the number of
    images and of the other layouts. A folder that this function wrote before is replaced.

    Args:
        root (str | Path): The folder that holds the layouts, usually ``data``. It is created if it is missing.
        layouts (Sequence[str]): The folders to write: ``'cityscapes'``, ``'coco'`` (boxes, keypoints, COCO-WholeBody),
            ``'imagenet'``, ``'VOCdevkit'`` (PASCAL-Context), ``'coco_stuff10k'``, ``'ade'``, ``'custom'``.
        seed (int): The seed of the images, at least 0. Default: 0.
        progress (callable, optional): Wraps the iteration over images: it takes an iterable and a description, and
            returns an iterable, for example one that draws a progress bar.
        train (int, optional): The number of images in each training set. Default: 24 to 300, depending on the layout.
        val (int, optional): The number of images in each validation set, and in the test sets of Cityscapes and COCO.
            Default: 12 to 50, depending on the layout.
        size (Tuple[int, int], optional): Width and height in pixels, each at least 64. Default: that of the layout.

    Returns:
        List[Path]: The folders that were written, in the order of ``layouts``.

    Raises:
        ValueError: If an argument is out of range. Nothing is written.
        FileExistsError: If the folder of a layout holds a file that this function did not write. Nothing is written.
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
        width, height = size or default_size
        counts = dict(train=train or default_train, val=val or default_val)
        if target.name in WITH_TEST_SET:
            counts['test'] = counts['val']
        # The folder is renamed when it is complete.
        with tempfile.TemporaryDirectory(prefix=f'.{target.name}-', dir=root) as staging:
            new = Path(staging, 'new')
            new.mkdir()
            for split, count in counts.items():
                name = f'{target.name}/{split}'
                indices = progress(range(count), name) if progress else range(count)
                scenes = (
                    draw_scene(
                        np.random.default_rng([seed, crc32(name.encode()), index]), (width, height), subject, index
                    )
                    for index in indices
                )
                write(new, target.name, split, scenes)
            # The marker lists all files, including itself: a later call may delete these.
            (new / MARKER).write_text('\n'.join([MARKER, *list_files(new), '']), encoding='utf-8')
            if target.exists():
                target.rename(Path(staging, 'old'))
            new.rename(target)
    return targets


def check_integer(key: str, value: Any, least: int) -> None:
    """Raise ValueError unless ``value`` is an integer of at least ``least``."""
    if not isinstance(value, Integral) or value < least:
        raise ValueError(f'{key}={value!r}: must be an integer of at least {least}')


def check_target(target: Path) -> None:
    """Raise FileExistsError if ``target`` holds a file that no earlier call wrote."""
    remedy = 'Choose another root folder, or move it away.'
    # A link often points to the real data set, and must not be replaced.
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise FileExistsError(f'{target} exists and is not a plain folder. {remedy}')
    marker = target / MARKER
    ours = set(marker.read_text(encoding='utf-8').splitlines()) if marker.is_file() else set()
    foreign = next((name for name in list_files(target) if name not in ours), None)
    if foreign is not None:
        raise FileExistsError(
            f'{target} holds {foreign}, which synthesize did not write; nothing is replaced. {remedy}'
        )


def list_files(folder: Path) -> list[str]:
    """List all files and links below ``folder``, as sorted relative paths with forward slashes."""
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob('*') if path.is_symlink() or not path.is_dir()
    )
