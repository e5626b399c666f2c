"""Read configs by path or name, and apply changes from the command line."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import click
from mmengine.config import Config, DictAction

from ..checks.settings import walk
from ..messages import filter_log
from ..model_index import config_path


def load_config(name: str, options: Mapping[str, Any] | None = None) -> Config:
    """Read a config. Classes, which pure Python configs use as types, are replaced by their full names.

    Args:
        name (str): See :func:`..model_index.config_path`.
        options (Mapping[str, Any], optional): Changes, for example {'train_dataloader.dataset.data_root': 'data'}.

    Raises:
        FileNotFoundError: If the config does not exist.
        ValueError: If the config cannot be read, or an option does not fit it.
    """
    filter_log()
    path = config_path(name)
    try:
        cfg = Config.fromfile(path)
        cfg = Config({key: _name_types(cfg[key]) for key in cfg.to_dict()}, filename=path)
    except Exception as error:  # a config is Python code, which may raise anything
        raise ValueError(f'{path} cannot be read as a config: {type(error).__name__}: {error}') from error
    for key, value in (options or {}).items():
        _check_key(cfg, key)
        try:
            cfg.merge_from_dict({key: value})
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f'--cfg-options {key}={value}: {error}') from error
    return cfg


def parse_options(options: Sequence[str]) -> dict[str, Any]:
    """Parse 'KEY=VALUE' strings as mmengine does.

    Raises:
        ValueError: If a string has another format.
    """
    parsed = {}
    for option in options:
        key, separator, value = option.partition('=')
        if not separator or not all(key.split('.')):
            raise ValueError(f'--cfg-options {option}: write KEY=VALUE, e.g. train_dataloader.dataset.data_root=data')
        if any(value.count(a) != value.count(b) for a, b in ('()', '[]')):
            raise ValueError(f'--cfg-options {option}: close the brackets, e.g. [1,(2,3)]')
        parsed[key] = DictAction._parse_iterable(value)
    return parsed


def _name_types(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            key: f'{entry.__module__}.{entry.__qualname__}' if key == 'type' and callable(entry) else _name_types(entry)
            for key, entry in value.items()
        }
    return type(value)(map(_name_types, value)) if type(value) in (list, tuple) else value


def _check_key(cfg: Config, key: str) -> None:
    """Raise a ValueError if the parent of a key does not exist. Print a note if the key is new in its parent."""
    value: Any = cfg._cfg_dict
    *parents, last = key.split('.')
    for depth, part in enumerate([*parents, last]):
        if isinstance(value, (list, tuple)):
            names = [str(i) for i in range(len(value))]
        else:
            names = list(value.keys()) if isinstance(value, Mapping) else []
        if part in names:
            value = value[int(part)] if isinstance(value, (list, tuple)) else value[part]
            continue
        parent = '.'.join(parents[:depth])
        if parent and depth == len(parents) and isinstance(value, Mapping):
            click.echo(f'Note: {parent} has no {last} in the config: --cfg-options adds it.', err=True)
            return
        close = [path[1:] for path, _ in walk(value, '') if path.endswith(f'.{part}')]
        close = close or get_close_matches(part, names)
        raise ValueError(
            f'--cfg-options {key}: {parent or cfg.filename} has no {part!r}: it has '
            + (', '.join(close or map(str, names)) or f'the value {value!r}')
        )
