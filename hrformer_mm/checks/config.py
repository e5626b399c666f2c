"""Checks of a config that need no data."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

from .classification import classifier_problems
from .problem import Problem
from .segmentation import ignore_problems
from .settings import walk

_READ = tuple(inspect.signature(Runner.__init__).parameters)  # the keys that a runner reads


def config_problems(cfg: Config, splits: tuple[str, ...]) -> Iterator[Problem]:
    """Find keys without effect, and keys that disagree about classes or ignored labels; `path` is the key."""
    yield from ignored_changes(cfg)
    yield from classifier_problems(cfg, splits)
    yield from ignore_problems(cfg, splits)


def ignored_changes(cfg: Config) -> Iterator[Problem]:
    """Find variables that were changed too late, for example `data_root` by `--cfg-options`.

    The config files have already copied the old value to the keys that a runner reads, and these keep it.
    """
    changed = {name: keys for name in cfg if name not in _READ and (keys := _other_values(cfg, name))}
    if not changed or not cfg.filename or not Path(cfg.filename).is_file():
        return
    before = Config.fromfile(cfg.filename)
    for name, keys in changed.items():
        if name in before:
            keys = {key: value for key, value in keys.items() if _same(value, before[name])}
            if _same(before[name], cfg[name]):
                continue
        new, old = cfg[name], {value for value in keys.values() if isinstance(value, str) and value}
        settings = dict.fromkeys(keys, new)
        for key, value in _values(cfg):  # e.g. ann_file of the evaluator, which lies in the old folder
            start = next((start for start in old if isinstance(value, str) and value.startswith(start)), None)
            if start is not None and key not in keys:
                settings[key] = f'{str(new).rstrip("/")}/{value[len(start) :].lstrip("/")}'
        if settings:
            yield Problem(
                'ignored option',
                name,
                f'is {new!r}, which has no effect: the config files had already copied the old value to other keys',
                'Set ' + ' '.join(f'{key}={value}' for key, value in settings.items()),
            )


def _other_values(cfg: Config, name: str) -> dict[str, Any]:
    """Return the values that differ from the variable of the same name, by their full keys."""
    return {key: value for key, value in _values(cfg) if key.endswith(f'.{name}') and not _same(value, cfg[name])}


def _values(cfg: Config) -> Iterator[tuple[str, Any]]:
    for name in _READ:
        if name in cfg:
            yield from walk(cfg[name], name)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, str) and isinstance(b, str):
        return a.rstrip('/') == b.rstrip('/')
    return a == b or isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) and list(a) == list(b)
