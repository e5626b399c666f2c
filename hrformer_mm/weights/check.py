"""Whether weights fit a model."""

from collections.abc import Mapping, Sequence

from torch import Tensor


def check_state(state: Mapping[str, Tensor], expected: Mapping[str, Sequence[int]]) -> None:
    """Compare names and shapes.

    Raises:
        ValueError: If keys are unknown, missing or of another shape, listing the first of each kind.
    """
    unknown = [name for name in state if name not in expected]
    missing = [name for name in expected if name not in state]
    misshapen = [
        f'{name} is {tuple(state[name].shape)}, not {tuple(shape)}' for name, shape in expected.items()
        if name in state and tuple(state[name].shape) != tuple(shape)
    ]
    problems = [
        f'{len(names)} {kind}: ' + '; '.join(names[:8]) + ('; …' if len(names) > 8 else '')
        for kind, names in (('unknown', unknown), ('missing', missing), ('of another shape', misshapen)) if names
    ]
    if problems:
        raise ValueError('the weights do not fit. Keys ' + '. Keys '.join(problems))
