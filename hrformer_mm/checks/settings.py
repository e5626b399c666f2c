"""Access to the configs of objects: class names, dotted keys, and lists."""

from collections.abc import Iterator, Mapping
from typing import Any


def type_name(settings: Mapping[str, Any]) -> str:
    """Return the name of the class of a config, without its scope or module; '' if the config has no type.

    For example, it is 'Resize' for 'Resize', for 'mmseg.Resize' and for the class itself.
    """
    kind = settings.get('type', '')
    return str(getattr(kind, '__name__', kind)).rpartition('.')[2]


def walk(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Yield a value of a config and all values inside it, by their dotted keys."""
    yield key, value
    children = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        yield from walk(child, f'{key}.{name}')


def listed(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Yield the entries of a list by their dotted keys, for example `val_evaluator.0`; any other value by `key`."""
    if isinstance(value, (list, tuple)):
        yield from ((f'{key}.{index}', entry) for index, entry in enumerate(value))
    else:
        yield key, value


def configs(value: Any, key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the configs of one or more objects by their dotted keys."""
    return ((name, entry) for name, entry in listed(value, key) if isinstance(entry, Mapping))
