"""Write generated data sets where the stock configs look for the real ones."""
import operator
import tempfile
from pathlib import Path
from typing import Any, Callable, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Union

from .cityscapes import write_cityscapes
from .coco import write_coco
from .imagenet import write_imagenet
from .scenes import write_ade20k, write_coco_stuff, write_custom, write_pascal_context

MARKER = '.synthetic'
MIN_SIDE = 64

Progress = Callable[[Iterable, str], Iterable]


class Layout(NamedTuple):
    """What one data set is by default, and who writes it."""

    train: int
    val: int
    size: Tuple[int, int]
    write: Callable[..., None]


LAYOUTS = dict(
    cityscapes=Layout(train=48, val=12, size=(256, 128), write=write_cityscapes),
    coco=Layout(train=64, val=16, size=(256, 256), write=write_coco),
    imagenet=Layout(train=300, val=50, size=(96, 96), write=write_imagenet),
    VOCdevkit=Layout(train=24, val=12, size=(256, 192), write=write_pascal_context),
    coco_stuff10k=Layout(train=24, val=12, size=(256, 192), write=write_coco_stuff),
    ade=Layout(train=24, val=12, size=(256, 192), write=write_ade20k),
    custom=Layout(train=24, val=12, size=(256, 192), write=write_custom),
)


def synthesize(root: Union[str, Path],
               layouts: Sequence[str] = tuple(LAYOUTS),
               seed: int = 0,
               progress: Optional[Progress] = None,
               *,
               train: Optional[int] = None,
               val: Optional[int] = None,
               size: Optional[Tuple[int, int]] = None) -> List[Path]:
    """Generate small data sets in the on-disk layouts of those that the configs name.

    They are read by the libraries' own data set classes and learnable from scratch on a CPU. The same arguments give
    the same bytes (with the same versions of NumPy and OpenCV), each image has its own random numbers, and asking for
    fewer images or layouts changes none of the others. A folder that this function wrote is replaced.

    Args:
        root (str | Path): Folder to hold the layouts, usually ``data``; made if it is missing.
        layouts (Sequence[str]): Which to write, by the name of the folder: ``'cityscapes'``; ``'coco'`` (boxes,
            keypoints, COCO-WholeBody); ``'imagenet'``; ``'VOCdevkit'`` (PASCAL-Context); ``'coco_stuff10k'``;
            ``'ade'`` (ADE20K); ``'custom'`` (images and label maps of two classes).
        seed (int): Another seed gives other images; 0 or more.
        progress (callable, optional): Called with an iterable over the images and a description; returns the iterable
            to go through, for instance one that draws a progress bar.
        train (int, optional): Images of each training set. Defaults to those of :data:`LAYOUTS`.
            Cityscapes shows each of its classes in any 12 consecutive images, ImageNet in any 10.
        val (int, optional): Images of each validation set, and of the test sets, which Cityscapes and COCO have.
        size (Tuple[int, int], optional): Width and height of the images in pixels, each at least 64. Defaults to
            those of :data:`LAYOUTS`.

    Returns:
        List[Path]: The folders written, in the order asked for.

    Raises:
        ValueError: For an argument out of range; nothing is written.
        FileExistsError: If a layout's folder holds something else than an earlier output; nothing is written.
    """
    names = _check_layouts(layouts)
    seed = _check_whole('seed', seed, 0)
    train = None if train is None else _check_whole('train', train, 1)
    val = None if val is None else _check_whole('val', val, 1)
    size = None if size is None else _check_size(size)
    progress = progress or (lambda items, description: items)

    root = Path(root)
    for name in names:
        _check_target(root / name)
    root.mkdir(parents=True, exist_ok=True)
    for name in names:
        layout = LAYOUTS[name]
        counts = dict(train=layout.train if train is None else train, val=layout.val if val is None else val)
        _replace(root / name, lambda folder: layout.write(folder, counts, size or layout.size, seed, progress))
    return [root / name for name in names]


def _check_layouts(layouts: Sequence[str]) -> List[str]:
    names = [layouts] if isinstance(layouts, str) else list(dict.fromkeys(layouts))
    if not names or not set(names) <= set(LAYOUTS):
        raise ValueError(f'layouts={layouts!r}: choose one or more of {", ".join(LAYOUTS)}')
    return names


def _check_whole(key: str, value: Any, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise ValueError(f'{key}={value!r}: must be a whole number of at least {least}')
    return number


def _check_size(size: Tuple[int, int]) -> Tuple[int, int]:
    try:
        width, height = size
    except (TypeError, ValueError):
        raise ValueError(f'size={size!r}: must be a width and a height in pixels, such as (256, 128)') from None
    return _check_whole('size (width)', width, MIN_SIDE), _check_whole('size (height)', height, MIN_SIDE)


def _check_target(target: Path) -> None:
    """Refuse to replace anything that an earlier call did not write."""
    if not target.exists() and not target.is_symlink():
        return
    remedy = 'Choose another root folder, or move it away.'
    # A link often leads to the real data set, which must not lose its name.
    if target.is_symlink() or not target.is_dir():
        raise FileExistsError(f'{target} exists and is not a plain folder. {remedy}')
    marker = target / MARKER
    ours = set(marker.read_text(encoding='utf-8').splitlines()) if marker.is_file() else set()
    foreign = next((name for name in _files(target) if name not in ours), None)
    if foreign is not None:
        raise FileExistsError(f'{target} holds {foreign}, which was not generated here; it stays as it is. {remedy}')


def _replace(target: Path, write: Callable[[Path], None]) -> None:
    """Write a folder beside ``target`` and give it that name when it is complete."""
    with tempfile.TemporaryDirectory(prefix=f'.{target.name}-', dir=target.parent) as workshop:
        new = Path(workshop, 'new')
        new.mkdir()
        write(new)
        # The marker lists the files, itself too, so that a later call knows what it may delete.
        (new / MARKER).write_text('\n'.join([MARKER, *_files(new), '']), encoding='utf-8')
        if target.exists():
            target.rename(Path(workshop, 'old'))
        new.rename(target)


def _files(folder: Path) -> List[str]:
    """All that lies below ``folder`` but folders, as sorted relative names with forward slashes."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob('*')
                  if path.is_symlink() or not path.is_dir())
