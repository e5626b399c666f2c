"""Checks of arguments: an invalid one raises where it is given, with its name, its value and what is allowed.

All raise TypeError for a value of another kind and ValueError for one out of range.
"""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from mmengine.registry import Registry


def check_int(name: str, value: Any, lowest: int | None = 1) -> int:
    """An integer, from `lowest` up if it is given."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        bound = '' if lowest is None else f' of at least {lowest}'
        raise TypeError(f'{name} must be an integer{bound}, but is {value!r}')
    if lowest is not None and value < lowest:
        raise ValueError(f'{name} is {value!r}, but must be at least {lowest}')
    return int(value)


def check_positive(name: str, value: Any) -> float:
    """A number above 0."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f'{name} must be a number above 0, but is {value!r}')
    if not 0 < value < float('inf'):
        raise ValueError(f'{name} is {value!r}, but must be a finite number above 0')
    return float(value)


def check_non_negative(name: str, value: Any) -> float:
    """A number of at least 0."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f'{name} must be a number of at least 0, but is {value!r}')
    if not 0 <= value < float('inf'):
        raise ValueError(f'{name} is {value!r}, but must be finite and at least 0')
    return float(value)


def check_probability(name: str, value: Any) -> float:
    """A probability below 1."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f'{name} must be a number in [0, 1), but is {value!r}')
    if not 0 <= value < 1:
        raise ValueError(f'{name} is {value!r}, but must be in [0, 1)')
    return float(value)


def check_bool(name: str, value: Any) -> bool:
    """True or False, and nothing that is taken for them."""
    if not isinstance(value, bool):
        raise TypeError(f'{name} must be True or False, but is {value!r}')
    return value


def check_sequence(name: str, value: Any, length: int | None = None) -> tuple[Any, ...]:
    """A list, of a length if one is given, else of one entry at least. A set has no order, and is none."""
    if isinstance(value, (str, Mapping, set, frozenset)) or not isinstance(value, Iterable):
        raise TypeError(f'{name} must be a list{"" if length is None else f" of {length}"}, but is {value!r}')
    value = tuple(value)
    if length is None and not value:
        raise ValueError(f'{name} is {value!r}, but must have at least one entry')
    if length is not None and len(value) != length:
        raise ValueError(f'{name} is {value!r}, but must have {length} entries, not {len(value)}')
    return value


def check_ints(name: str, value: Any, length: int | None = None, lowest: int = 1) -> tuple[int, ...]:
    """A list of integers."""
    entries = check_sequence(name, value, length)
    return tuple(check_int(f'{name}[{i}]', entry, lowest) for i, entry in enumerate(entries))


def check_choice(name: str, value: Any, allowed: Sequence[Any]) -> None:
    if not any(value is option or (type(value) is type(option) and value == option) for option in allowed):
        raise ValueError(f'{name} is {value!r}, but must be one of {", ".join(map(str, allowed))}')


def check_keys(name: str, given: Mapping[str, Any], required: Sequence[str], optional: Sequence[str]) -> None:
    """No key of a dict is missing, and none is unknown."""
    allowed = [*required, *optional]
    unknown = [key for key in given if key not in allowed]
    if unknown:
        raise ValueError(f'{name} has the unknown key {unknown[0]!r}: allowed are {", ".join(allowed)}')
    missing = [key for key in required if key not in given]
    if missing:
        raise ValueError(f'{name} lacks the key {missing[0]!r}: it needs {", ".join(required)}')


def check_config(name: str, value: Any, registry: Registry, example: str, given: Sequence[str] = ()) -> None:
    """A dict that `registry` can build from: of a class that it knows, with the arguments that the class takes, but
    for those that are `given` elsewhere; `example` is such a dict."""
    if not isinstance(value, Mapping) or 'type' not in value:
        raise TypeError(f"{name} must be a dict with a 'type', as {example}, but is {value!r}")
    kind = value['type']
    with registry.switch_scope_and_registry(value.get('_scope_')) as own:  # as mmengine does when it builds
        cls = own.get(kind) if isinstance(kind, str) else kind
        if cls is None:
            raise ValueError(
                f'{name}.type is {kind!r}, but must be a class that the registry {own.name!r} of '
                f'{own.scope} knows, as {example}'
            )
    if not inspect.isclass(cls):
        raise TypeError(f'{name}.type must be a class or its name, as {example}, but is {kind!r}')
    taken = [p for p in list(inspect.signature(cls.__init__).parameters.values())[1:] if p.name not in given]
    if all(p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) for p in taken):  # no *args or **kwargs
        required = [p.name for p in taken if p.default is p.empty]
        given_keys = {key: entry for key, entry in value.items() if key != '_scope_'}
        check_keys(name, given_keys, ['type', *required], [p.name for p in taken if p.default is not p.empty])
