"""Checkpoint files: tensors in, tensors out, and nothing in them is ever run."""

import os
import pickle
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Union

import torch
from mmengine.fileio import get_local_path
from torch import Tensor
from torch.hub import load_state_dict_from_url

_WRAPPERS = ('state_dict', 'model', 'module')


def read_tensors(source: Union[str, os.PathLike]) -> dict[str, Tensor]:
    """Read a checkpoint, bare or wrapped under 'state_dict', 'model' or 'module', without its `module.` prefixes.

    Args:
        source (str | PathLike): A file, or a URL (http and https, cached by torch.hub; and what mmengine's file
            backends read).

    Returns:
        dict[str, Tensor]: By name, on the CPU.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint, is cut short, cannot be fetched, or holds other objects than tensors and
            plain data.
    """
    source = str(source)
    try:
        if source.startswith(('http://', 'https://')):
            content = load_state_dict_from_url(source, map_location='cpu', weights_only=True)
        else:
            with get_local_path(source) as path:
                content = torch.load(path, map_location='cpu', weights_only=True)
    except FileNotFoundError:
        raise FileNotFoundError(f'there is no checkpoint at {source}') from None
    except IsADirectoryError:
        raise ValueError(f'{source} is a folder, not a checkpoint') from None
    except pickle.UnpicklingError as error:
        # PyTorch's message advises to switch its protection off: only the name in it is passed on.
        found = re.search(r'GLOBAL ([\w.]+)', str(error))
        what = f'it holds a {found[1]}, which could run code' if found else 'it is no PyTorch checkpoint'
        raise ValueError(f'{source} was not read: {what}. If you trust the file, load it where that does no harm and '
                         'save its tensors alone.') from None
    except Exception as error:  # the bytes of a broken file lead its reader anywhere
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f'{source} cannot be read as a PyTorch checkpoint; it may be cut short: fetch or copy it '
                         f'again. ({reason})') from error

    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not content:
        raise ValueError(f'{source} holds no weights, but {type(content).__name__}')
    others = [name for name, value in content.items() if not isinstance(value, Tensor)]
    if others:
        raise ValueError(f'{source} holds {len(others)} entries that are no tensors, the first {others[0]!r}: its '
                         f"weights must be at the top, or under one of {', '.join(_WRAPPERS)}")
    return {name.removeprefix('module.'): value for name, value in content.items()}


def write_tensors(state: Mapping[str, Tensor], destination: Union[str, os.PathLike]) -> None:
    """Write a plain file of tensors: it appears whole under its name, or not at all.

    Raises:
        FileNotFoundError: If the destination's folder does not exist.
    """
    destination = Path(destination)
    if not destination.parent.is_dir():
        raise FileNotFoundError(f'there is no folder {destination.parent} to write {destination.name} into')
    handle, temporary = tempfile.mkstemp(dir=destination.parent, prefix=f'.{destination.name}.')
    try:
        with os.fdopen(handle, 'wb') as file:
            torch.save({name: value.clone() for name, value in state.items()}, file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, destination)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
