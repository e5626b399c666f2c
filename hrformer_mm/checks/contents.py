"""Reasons why a data set finds no samples in a folder."""

from collections import Counter
from pathlib import Path

from mmengine.dataset import BaseDataset

from .files import is_local
from .problem import shorten


def why_empty(dataset: BaseDataset) -> str | None:
    """Describe what the image folder holds instead of samples, with a remedy. Return None if no reason is found."""
    folder = dict(dataset.data_prefix).get('img_path')
    if not is_local(folder) or not folder:
        return None
    if not Path(folder).is_dir():
        return missing_folder(Path(folder))
    suffix, extensions = getattr(dataset, 'img_suffix', None), getattr(dataset, 'extensions', ())
    if dataset.ann_file or not suffix and not extensions:
        return None
    held = Counter(path.suffix for path in Path(folder).rglob('*') if path.suffix and path.is_file()).most_common(4)
    if not held:
        return None
    common = held[0][0]
    wanted = f'img_suffix is {suffix!r}' if suffix else f'extensions is {tuple(sorted(extensions))}'
    key = f"img_suffix='{common}'" if suffix else f"extensions=('{common}',)"
    return (
        f'{folder} holds {", ".join(f"{count} {ending} files" for ending, count in held)}, but {wanted}. '
        f'Set {key} of the data set (train_dataloader.dataset.…, val_dataloader.dataset.…, '
        'test_dataloader.dataset.…), or another folder with data_prefix'
    )


def missing_folder(folder: Path) -> str:
    """Describe what the closest existing parent of a missing folder holds."""
    parent = next((parent for parent in folder.parents if parent.is_dir()), None)
    if parent is None:
        return f'{folder} does not exist'
    names = sorted(path.name for path in parent.iterdir() if not path.name.startswith('.'))
    return f'{folder} does not exist; {parent.absolute()} holds {shorten(names, 8) or "nothing"}'
