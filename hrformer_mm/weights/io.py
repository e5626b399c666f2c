"""Checkpoint files: tensors in, tensors out, and nothing in them ever runs."""

import io
import os
import pickle
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from mmengine.fileio import get_local_path
from torch import Tensor, nn

from .. import safe_globals  # noqa: F401  (of mmengine's own checkpoints)
from .files import UNSEALED, DamagedFile, is_safetensors, seal, seal_safetensors, verify, write_whole
from .names import locate, unknown_name

_WRAPPERS = ('state_dict', 'model', 'module')


def read_checkpoint(source: str | os.PathLike, map_location: Any = 'cpu') -> Any:
    """Read a checkpoint's content.

    Args:
        source (str | PathLike): A file of PyTorch or safetensors, a URL (see :func:`fetch`), a name of released weights
            (see :func:`find_released`), or what mmengine's file backends read.
        map_location (Any): The device of its tensors, as for torch.load. Default: 'cpu'.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If it cannot be downloaded.
        ValueError: If it is not a checkpoint, is damaged, or holds objects that could run code.
    """
    source = str(source)
    local = locate(source)
    try:
        with get_local_path(local) as path:
            verify(path)
            if _is_safetensors(path):
                return _read_safetensors(path, map_location)
            return torch.load(path, map_location=map_location, weights_only=True)
    except (DamagedFile, ImportError):
        raise
    except FileNotFoundError:
        raise FileNotFoundError(unknown_name(source)) from None
    except IsADirectoryError:
        raise ValueError(f'{source} is a folder, not a checkpoint') from None
    except pickle.UnpicklingError as error:
        # PyTorch's message advises to switch its protection off: only the name in it is passed on.
        found = re.search(r'GLOBAL ([\w.]+)', str(error))
        if found is None:
            raise ValueError(f'{source} was not read: it is not a PyTorch checkpoint. Copy it again') from None
        raise ValueError(
            f'{source} was not read: it holds a {found[1]}, which could run code. If you trust the file, '
            'load it where that does no harm and save its tensors alone'
        ) from None
    except Exception as error:  # the bytes of a broken file lead its reader anywhere
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(
            f'{source} cannot be read as a PyTorch checkpoint; it may be cut short: download or copy it '
            f'again ({reason})'
        ) from error


def _is_safetensors(path: str | os.PathLike) -> bool:
    with open(path, 'rb') as file:
        return is_safetensors(file.read(9))


def _read_safetensors(path: str | os.PathLike, map_location: Any) -> dict[str, Tensor]:
    state = _safetensors().load_file(path)
    if isinstance(map_location, (str, torch.device)):
        return {name: value.to(map_location) for name, value in state.items()}
    return state


def _safetensors() -> ModuleType:
    try:
        return import_module('safetensors.torch')
    except ModuleNotFoundError as error:
        raise ImportError('files with the suffix .safetensors require safetensors: pip install safetensors') from error


def find_tensors(content: Any, source: str | os.PathLike) -> dict[str, Tensor]:
    """The weights of a checkpoint, bare or under 'state_dict', 'model' or 'module', without their `module.` prefixes.

    Raises:
        ValueError: If there are none, or something else is among them; the error names `source`.
    """
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not content:
        raise ValueError(f'{source} holds no weights, but {type(content).__name__}')
    others = [
        name
        for name, value in content.items()
        if type(value) not in (Tensor, nn.Parameter) or value.layout is not torch.strided or value.is_quantized
    ]
    if others:
        raise ValueError(
            f'{source}: {len(others)} of its {len(content)} weights are not plain tensors, the first '
            f'{others[0]!r}, {type(content[others[0]]).__name__}. Weights must be at the top or under one '
            f'of {", ".join(_WRAPPERS)}; hrformer-mm convert writes such files'
        )
    return {str(name).removeprefix('module.'): value for name, value in content.items()}


def read_tensors(source: str | os.PathLike) -> dict[str, Tensor]:
    """:func:`read_checkpoint`, and of its content the weights alone, as :func:`find_tensors` gives them."""
    return find_tensors(read_checkpoint(source), source)


def write_tensors(
    state: Mapping[str, Tensor], destination: str | os.PathLike, provenance: Mapping[str, str] | None = None
) -> None:
    """Write a plain file of tensors, with its checksum: it appears whole under its name, or not at all.

    Args:
        state (Mapping[str, Tensor]): The tensors.
        destination (str | PathLike): The file: of safetensors with the suffix `.safetensors`, otherwise of PyTorch.
        provenance (Mapping[str, str], optional): Where the tensors are from, for the metadata of a safetensors file.

    Raises:
        OSError: If the destination's folder does not exist, or the file cannot be written.
        ImportError: If safetensors is needed and not installed.
    """
    destination = Path(destination)
    if not destination.parent.is_dir():
        raise FileNotFoundError(f'there is no folder {destination.parent} to write {destination.name} into')
    state = {name: value.clone(memory_format=torch.contiguous_format) for name, value in state.items()}
    if destination.suffix == '.safetensors':
        metadata = {'format': 'pt', **(provenance or {}), 'sha256': UNSEALED.decode()}
        write_whole(destination, seal_safetensors(_safetensors().save(state, metadata)))
        return
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_whole(destination, seal(buffer.getvalue()))
