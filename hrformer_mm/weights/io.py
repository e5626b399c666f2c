"""Checkpoint files: tensors in, tensors out, and nothing in them ever runs."""

import io
import os
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union

import torch
from mmengine.fileio import get_local_path
from torch import Tensor, nn

from .. import safe_globals  # noqa: F401  (of mmengine's own checkpoints)
from .download import fetch, is_web_address
from .files import DamagedFile, seal, verify, write_whole

_WRAPPERS = ('state_dict', 'model', 'module')


def read_checkpoint(source: Union[str, os.PathLike], map_location: Any = 'cpu') -> Any:
    """Read a checkpoint's content.

    Args:
        source (str | PathLike): A file, a URL (see :func:`fetch`), or what mmengine's file backends read.
        map_location (Any): The device of its tensors, as for torch.load. Default: 'cpu'.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If it cannot be downloaded.
        ValueError: If it is not a checkpoint, is damaged, or holds objects that could run code.
    """
    source = str(source)
    local = str(fetch(source)) if is_web_address(source) else source
    try:
        with get_local_path(local) as path:
            verify(path)
            return torch.load(path, map_location=map_location, weights_only=True)
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
            raise ValueError(f'{source} was not read: it is no PyTorch checkpoint. Copy it again') from None
        raise ValueError(f'{source} was not read: it holds a {found[1]}, which could run code. If you trust the file, '
                         'load it where that does no harm and save its tensors alone') from None
    except Exception as error:  # the bytes of a broken file lead its reader anywhere
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f'{source} cannot be read as a PyTorch checkpoint; it may be cut short: download or copy it '
                         f'again ({reason})') from error


def find_tensors(content: Any, source: Union[str, os.PathLike]) -> dict[str, Tensor]:
    """The weights of a checkpoint, bare or under 'state_dict', 'model' or 'module', without their `module.` prefixes.

    Raises:
        ValueError: If there are none, or something else is among them; the error names `source`.
    """
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not content:
        raise ValueError(f'{source} holds no weights, but {type(content).__name__}')
    others = [name for name, value in content.items() if type(value) not in (Tensor, nn.Parameter)
              or value.layout is not torch.strided or value.is_quantized]
    if others:
        raise ValueError(f'{source}: {len(others)} of its {len(content)} weights are not plain tensors, the first '
                         f'{others[0]!r}, {type(content[others[0]]).__name__}. Weights must be at the top or under one '
                         f"of {', '.join(_WRAPPERS)}; hrformer-mm convert writes such files")
    return {str(name).removeprefix('module.'): value for name, value in content.items()}


def read_tensors(source: Union[str, os.PathLike]) -> dict[str, Tensor]:
    """:func:`read_checkpoint`, and of its content the weights alone, as :func:`find_tensors` gives them."""
    return find_tensors(read_checkpoint(source), source)


def write_tensors(state: Mapping[str, Tensor], destination: Union[str, os.PathLike]) -> None:
    """Write a plain file of tensors, with its checksum: it appears whole under its name, or not at all.

    Raises:
        OSError: If the destination's folder does not exist, or the file cannot be written.
    """
    destination = Path(destination)
    if not destination.parent.is_dir():
        raise FileNotFoundError(f'there is no folder {destination.parent} to write {destination.name} into')
    buffer = io.BytesIO()
    torch.save({name: value.clone() for name, value in state.items()}, buffer)
    write_whole(destination, seal(buffer.getvalue()))
