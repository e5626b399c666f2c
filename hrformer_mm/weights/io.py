"""Checkpoint files: tensors in, tensors out, and nothing in them is ever run."""

import io
import os
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union

import torch
from mmengine.fileio import get_local_path
from torch import Tensor

from .. import safe_globals  # noqa: F401  (of mmengine's own checkpoints)
from .download import fetch, is_web_address
from .files import DamagedFile, seal, verify, write_whole

_WRAPPERS = ('state_dict', 'model', 'module')


def read_checkpoint(source: Union[str, os.PathLike]) -> Any:
    """Read a checkpoint's content as it is: tensors, plain data, and what mmengine's own checkpoints hold.

    Args:
        source (str | PathLike): A file, or a URL (http and https, with its checksum, as of :func:`.download.fetch`; and
            what mmengine's file backends read).

    Returns:
        Any: With its tensors on the CPU.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If it cannot be fetched.
        ValueError: If it is no checkpoint, is damaged, is not what its address promises, or holds objects that could
            run code.
    """
    source = str(source)
    place = str(fetch(source)) if is_web_address(source) else source
    try:
        with get_local_path(place) as path:
            verify(path)
            return torch.load(path, map_location='cpu', weights_only=True)
    except DamagedFile:
        raise
    except FileNotFoundError:
        raise FileNotFoundError(f'there is no checkpoint at {source}') from None
    except IsADirectoryError:
        raise ValueError(f'{source} is a folder, not a checkpoint') from None
    except pickle.UnpicklingError as error:
        # PyTorch's message advises to switch its protection off: only the name in it is passed on.
        found = re.search(r'GLOBAL ([\w.]+)', str(error))
        if found is None:
            raise ValueError(f'{source} was not read: it is no PyTorch checkpoint; fetch or copy it again.') from None
        raise ValueError(f'{source} was not read: it holds a {found[1]}, which could run code. If you trust the file, '
                         'load it where that does no harm and save its tensors alone.') from None
    except Exception as error:  # the bytes of a broken file lead its reader anywhere
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f'{source} cannot be read as a PyTorch checkpoint; it may be cut short: fetch or copy it '
                         f'again. ({reason})') from error


def read_tensors(source: Union[str, os.PathLike]) -> dict[str, Tensor]:
    """Read a checkpoint, bare or wrapped under 'state_dict', 'model' or 'module', without its `module.` prefixes.

    Args:
        source (str | PathLike): As of :func:`read_checkpoint`.

    Returns:
        dict[str, Tensor]: By name, on the CPU.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If :func:`read_checkpoint` refuses it, or its weights are not where they must be.
    """
    content = read_checkpoint(source)
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
    """Write a plain file of tensors, with its checksum: it appears whole under its name, or not at all.

    Raises:
        FileNotFoundError: If the destination's folder does not exist.
        OSError: If it cannot be written.
    """
    destination = Path(destination)
    if not destination.parent.is_dir():
        raise FileNotFoundError(f'there is no folder {destination.parent} to write {destination.name} into')
    buffer = io.BytesIO()
    torch.save({name: value.clone() for name, value in state.items()}, buffer)
    write_whole(destination, seal(buffer.getvalue()))
