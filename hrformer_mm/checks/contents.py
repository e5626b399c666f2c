"""Why a data set that scans a folder finds nothing in it."""

from collections import Counter
from pathlib import Path

from mmengine.dataset import BaseDataset

from .files import is_local


def why_empty(dataset: BaseDataset) -> str | None:
    """What the folder of the images holds in place of what the data set reads, with a remedy. None if unknown."""
    folder = dict(dataset.data_prefix).get('img_path')
    if not is_local(folder) or not folder:
        return None
    if not Path(folder).is_dir():
        return missing_folder(Path(folder))
    suffix, extensions = getattr(dataset, 'img_suffix', None), getattr(dataset, 'extensions', None)
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
    """What is there in place of a folder that does not exist."""
    parent = next((parent for parent in folder.parents if parent.is_dir()), None)
    names = sorted(path.name for path in parent.iterdir() if not path.name.startswith('.'))[:8] if parent else []
    return f'{folder} does not exist' + (
        f'; {parent.absolute()} holds {", ".join(names) or "nothing"}' if parent else ''
    )
