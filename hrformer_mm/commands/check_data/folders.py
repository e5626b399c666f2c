"""Find classes without files, and files that a data set ignores."""

from collections.abc import Collection, Iterator
from pathlib import Path

from mmengine.dataset import BaseDataset

from ...checks import Problem
from ...checks.files import is_local

_SHOWN = 3


def empty_classes(dataset: BaseDataset) -> Iterator[Problem]:
    """Yield the folders of mmpretrain's classes that contain no picture."""
    extensions, folder = getattr(dataset, 'extensions', None), getattr(dataset, 'img_prefix', '')
    if not extensions or not is_local(folder) or not getattr(dataset, 'with_label', True) or not Path(folder).is_dir():
        return
    for child in sorted(path for path in Path(folder).iterdir() if path.is_dir()):
        if not any(path.suffix.lower() in extensions for path in child.rglob('*')):
            yield Problem(
                'empty class folder',
                str(child),
                f'has no file that ends in {", ".join(sorted(extensions))}',
                'Add the images of this class, or remove the folder and the class',
            )


def unread(dataset: BaseDataset, read: Collection[str]) -> str:
    """Return a note on pictures that the data set ignores in a folder that it scans, or ''."""
    folder = dataset.data_prefix.get('img_path')
    scanned = hasattr(dataset, 'img_suffix') or hasattr(dataset, 'extensions')
    if dataset.ann_file or not scanned or not is_local(folder) or not folder or not Path(folder).is_dir():
        return ''
    from PIL import Image

    endings = Image.registered_extensions()
    known = {str(Path(path)) for path in read}
    left = sorted(
        str(path) for path in Path(folder).rglob('*') if path.suffix.lower() in endings and str(path) not in known
    )
    if not left:
        return ''
    wanted = getattr(dataset, 'img_suffix', None) or ', '.join(sorted(dataset.extensions))
    return (
        f'{len(left)} pictures in {folder} are not read, because their names do not end in {wanted}: '
        f'{", ".join(left[:_SHOWN])}{", …" if len(left) > _SHOWN else ""}'
    )
