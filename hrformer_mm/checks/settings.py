"""Configs of objects: the names of their classes, and the keys of what is inside."""

from collections.abc import Iterator, Mapping
from typing import Any


def type_name(settings: Mapping[str, Any]) -> str:
    """The name of the class of a config: 'Resize' for 'Resize', 'mmseg.Resize' and mmseg.datasets.transforms.Resize.

    It is '' where the config has no type.
    """
    kind = settings.get('type', '')
    return str(getattr(kind, '__name__', kind)).rpartition('.')[2]


def walk(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    """A value of a config and all inside of it, by their dotted keys."""
    yield key, value
    children = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        yield from walk(child, f'{key}.{name}')
