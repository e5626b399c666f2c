"""Reading and writing of checkpoint files without running code that they contain."""

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

from .. import safe_globals  # noqa: F401  (allows the content of mmengine's own checkpoints)
from .files import UNSEALED, DamagedFile, is_safetensors, seal, seal_safetensors, verify, write_whole
from .names import locate, unknown_name

_WRAPPERS = ('state_dict', 'model', 'module')


def read_checkpoint(source: str | os.PathLike[str], map_location: Any = 'cpu') -> Any:
    """Read the content of a checkpoint.

    Args:
        source (str | PathLike): File of PyTorch or safetensors, URL (see :func:`fetch`), name of released weights (see
            :func:`find_released`), or path that one of mmengine's file backends reads.
        map_location (Any): See :func:`torch.load`. Default: 'cpu'.

    Raises:
        FileNotFoundError: If the file does not exist.
        OSError: If the download fails.
        ValueError: If the file is not a checkpoint, is damaged, or contains objects that could run code.
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
        # PyTorch's message recommends weights_only=False, so only the name of the object is reported.
        found = re.search(r'GLOBAL ([\w.]+)', str(error))
        if found is None:
            raise ValueError(f'{source} was not read: it is not a PyTorch checkpoint. Copy it again') from None
        raise ValueError(
            f'{source} was not read: it holds a {found[1]}, which could run code. If you trust the file, '
            'load it in an isolated environment and save only its tensors'
        ) from None
    except Exception as error:  # a damaged file can raise any exception in its reader
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(
            f'{source} cannot be read as a PyTorch checkpoint, and may be truncated: download or copy it '
            f'again ({reason})'
        ) from error


def _is_safetensors(path: str | os.PathLike[str]) -> bool:
    with open(path, 'rb') as file:
        return is_safetensors(file.read(9))


def _read_safetensors(path: str | os.PathLike[str], map_location: Any) -> dict[str, Tensor]:
    state: dict[str, Tensor] = _safetensors().load_file(path)
    if isinstance(map_location, (str, torch.device)):
        return {name: value.to(map_location) for name, value in state.items()}
    return state


def _safetensors() -> ModuleType:
    try:
        return import_module('safetensors.torch')
    except ModuleNotFoundError as error:
        raise ImportError('files with the suffix .safetensors require safetensors: pip install safetensors') from error


def find_tensors(content: Any, source: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Return the weights of a checkpoint without the prefix `module.`.

    The weights are at the top level or under one of the keys 'state_dict', 'model' and 'module'.

    Raises:
        ValueError: If there are no weights, or objects other than plain tensors. The message names `source`.
    """
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not content:
        raise ValueError(f'{source} contains no weights, but an object of type {type(content).__name__}')
    others = [
        name
        for name, value in content.items()
        if type(value) not in (Tensor, nn.Parameter) or value.layout is not torch.strided or value.is_quantized
    ]
    if others:
        raise ValueError(
            f'{source}: {len(others)} of its {len(content)} weights are not plain tensors, the first '
            f'{others[0]!r} of type {type(content[others[0]]).__name__}. Weights must be at the top level or under one '
            f'of the keys {", ".join(_WRAPPERS)}; hrformer-mm convert writes such files'
        )
    return {str(name).removeprefix('module.'): value for name, value in content.items()}


def read_tensors(source: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read the weights of a checkpoint, see :func:`read_checkpoint` and :func:`find_tensors`."""
    return find_tensors(read_checkpoint(source), source)


def write_tensors(
    state: Mapping[str, Tensor], destination: str | os.PathLike[str], provenance: Mapping[str, str] | None = None
) -> None:
    """Write tensors and their checksum to a file atomically, see :func:`write_whole`.

    Args:
        state (Mapping[str, Tensor]): Tensors by name.
        destination (str | PathLike): Path of the file. The suffix `.safetensors` selects the format of safetensors,
            any other suffix that of PyTorch.
        provenance (Mapping[str, str], optional): Metadata of a safetensors file, for example the source of the weights.
            Default: None.

    Raises:
        OSError: If the folder does not exist or the file cannot be written.
        ImportError: If safetensors is required and not installed.
    """
    destination = Path(destination)
    if not destination.parent.is_dir():
        raise FileNotFoundError(f'{destination.name} was not written: there is no folder {destination.parent}')
    state = {name: value.clone(memory_format=torch.contiguous_format) for name, value in state.items()}
    if destination.suffix == '.safetensors':
        metadata = {'format': 'pt', **(provenance or {}), 'sha256': UNSEALED.decode()}
        write_whole(destination, seal_safetensors(_safetensors().save(state, metadata)))
        return
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_whole(destination, seal(buffer.getvalue()))
