"""Validation of arguments, with errors that name the argument, its value and the allowed values.

All functions raise TypeError for a value of the wrong type, and ValueError for a value out of range.
"""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from mmengine.registry import Registry


def check_int(name: str, value: Any, lowest: int | None = 1) -> int:
    """Check that a value is an integer of at least `lowest`; None means no bound."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        bound = '' if lowest is None else f' of at least {lowest}'
        raise TypeError(f'{name} must be an integer{bound}, but is {value!r}')
    if lowest is not None and value < lowest:
        raise ValueError(f'{name} is {value!r}, but must be at least {lowest}')
    return int(value)


def check_positive(name: str, value: Any) -> float:
    """Check that a value is a finite number above 0."""
    if not _is_number(value):
        raise TypeError(f'{name} must be a number above 0, but is {value!r}')
    if not 0 < value < float('inf'):
        raise ValueError(f'{name} is {value!r}, but must be a finite number above 0')
    return float(value)


def check_non_negative(name: str, value: Any) -> float:
    """Check that a value is a finite number of at least 0."""
    if not _is_number(value):
        raise TypeError(f'{name} must be a number of at least 0, but is {value!r}')
    if not 0 <= value < float('inf'):
        raise ValueError(f'{name} is {value!r}, but must be finite and at least 0')
    return float(value)


def check_probability(name: str, value: Any) -> float:
    """Check that a value is a number in [0, 1)."""
    if not _is_number(value):
        raise TypeError(f'{name} must be a number in [0, 1), but is {value!r}')
    if not 0 <= value < 1:
        raise ValueError(f'{name} is {value!r}, but must be in [0, 1)')
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def check_bool(name: str, value: Any) -> bool:
    """Check that a value is True or False, not merely truthy or falsy."""
    if not isinstance(value, bool):
        raise TypeError(f'{name} must be True or False, but is {value!r}')
    return value


def check_sequence(name: str, value: Any, length: int | None = None) -> tuple[Any, ...]:
    """Check that a value is an ordered sequence of the given length, or by default of at least one entry."""
    if isinstance(value, (str, Mapping, set, frozenset)) or not isinstance(value, Iterable):
        raise TypeError(f'{name} must be a list{"" if length is None else f" of {length}"}, but is {value!r}')
    value = tuple(value)
    if length is None and not value:
        raise ValueError(f'{name} is {value!r}, but must have at least one entry')
    if length is not None and len(value) != length:
        raise ValueError(f'{name} is {value!r}, but must have {length} entries, not {len(value)}')
    return value


def check_ints(name: str, value: Any, length: int | None = None, lowest: int = 1) -> tuple[int, ...]:
    """Check that a value is a sequence of integers of at least `lowest`, see :func:`check_sequence`."""
    entries = check_sequence(name, value, length)
    return tuple(check_int(f'{name}[{i}]', entry, lowest) for i, entry in enumerate(entries))


def check_choice(name: str, value: Any, allowed: Sequence[Any]) -> None:
    """Check that a value equals one of the allowed values in type and value."""
    if not any(value is option or (type(value) is type(option) and value == option) for option in allowed):
        raise ValueError(f'{name} is {value!r}, but must be one of {", ".join(map(str, allowed))}')


def check_keys(name: str, given: Mapping[str, Any], required: Sequence[str], optional: Sequence[str]) -> None:
    """Check that a dict has all required keys and no unknown ones."""
    allowed = [*required, *optional]
    unknown = [key for key in given if key not in allowed]
    if unknown:
        raise ValueError(f'{name} has the unknown key {unknown[0]!r}: allowed are {", ".join(allowed)}')
    missing = [key for key in required if key not in given]
    if missing:
        raise ValueError(f'{name} lacks the key {missing[0]!r}: it needs {", ".join(required)}')


def check_config(name: str, value: Any, registry: Registry, example: str, given: Sequence[str] = ()) -> None:
    """Check that a registry can build an object from a config.

    Args:
        name (str): Name of the argument.
        value (Any): Config: a dict with the type of a registered class and arguments of this class.
        registry (Registry): Registry that builds the object.
        example (str): Example of a valid config, for the error messages.
        given (Sequence[str]): Names of arguments that are passed in addition to the config. Default: ().
    """
    if not isinstance(value, Mapping) or 'type' not in value:
        raise TypeError(f"{name} must be a dict with a 'type', for example {example}, but is {value!r}")
    kind = value['type']
    with registry.switch_scope_and_registry(value.get('_scope_')) as own:  # mmengine builds in the same scope
        cls = own.get(kind) if isinstance(kind, str) else kind
        if cls is None:
            raise ValueError(
                f'{name}.type is {kind!r}, but must be a class in the registry {own.name!r} of '
                f'{own.scope}, for example {example}'
            )
    if not inspect.isclass(cls):
        raise TypeError(f'{name}.type must be a class or its name, for example {example}, but is {kind!r}')
    taken = [p for p in list(inspect.signature(cls.__init__).parameters.values())[1:] if p.name not in given]
    if all(p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) for p in taken):  # no *args or **kwargs
        required = [p.name for p in taken if p.default is p.empty]
        given_keys = {key: entry for key, entry in value.items() if key != '_scope_'}
        check_keys(name, given_keys, ['type', *required], [p.name for p in taken if p.default is not p.empty])
