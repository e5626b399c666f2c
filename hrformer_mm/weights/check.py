"""Checks that weights fit a model."""

from collections.abc import Mapping, Sequence

from torch import Tensor

# Weights with one entry per class or keypoint, and the config key that sets their number.
_OUTPUTS = (
    ('decode_head.conv_seg.bias', 'model.decode_head.num_classes', 'classes'),
    ('head.final_layer.bias', 'model.head.out_channels', 'keypoints'),
    ('head.fc.bias', 'model.head.num_classes', 'classes'),
)


def check_state(state: Mapping[str, Tensor], expected: Mapping[str, Sequence[int]]) -> None:
    """Check names and shapes of weights.

    Raises:
        ValueError: If keys are unknown, missing or have the wrong shape. The message lists the first keys of each kind.
    """
    unknown = [name for name in state if name not in expected]
    missing = [name for name in expected if name not in state]
    misshapen = [
        f'{name} is {tuple(state[name].shape)}, not {tuple(shape)}'
        for name, shape in expected.items()
        if name in state and tuple(state[name].shape) != tuple(shape)
    ]
    problems = [
        f'{len(names)} {kind}: ' + '; '.join(names[:8]) + ('; …' if len(names) > 8 else '')
        for kind, names in (('unknown', unknown), ('missing', missing), ('of another shape', misshapen))
        if names
    ]
    if problems:
        raise ValueError('the weights do not fit. Keys ' + '. Keys '.join(problems))


def check_fit(
    source: str, state: Mapping[str, Tensor], own: Mapping[str, Tensor], may_differ: tuple[str, ...] = ()
) -> None:
    """Check that the weights of a file fit a model.

    Args:
        source (str): Name of the file for the error message.
        state (Mapping[str, Tensor]): Weights of the file.
        own (Mapping[str, Tensor]): Weights of the model.
        may_differ (tuple[str, ...]): Prefixes of names that are not checked. Default: ().

    Raises:
        ValueError: If the weights belong to another number of classes or another task, or do not fit otherwise.
    """
    found = {name: value for name, value in state.items() if not name.startswith(may_differ)}
    expected = {name: value.shape for name, value in own.items() if not name.startswith(may_differ)}
    for name, key, things in _OUTPUTS:
        if name in found and name in expected and len(found[name]) != expected[name][0]:
            raise ValueError(
                f'{source} has {len(found[name])} {things}, but the config has {expected[name][0]} '
                f'({key}): use the config with which it was trained'
            )
    theirs, ours = ({name.split('.')[0] for name in names} for names in (found, expected))
    if theirs & ours == {'backbone'} != ours:
        parts, wanted = (', '.join(sorted(names - {'backbone'})) for names in (theirs, ours))
        raise ValueError(
            f'{source} is of another task: it has {parts or "a backbone alone"}, but the model has '
            f'{wanted}: use the config with which it was trained'
        )
    try:
        check_state(found, expected)
    except ValueError as error:
        shared = sum(name in state and state[name].shape == value.shape for name, value in own.items())
        raise ValueError(
            f'{source} was not loaded, {shared} of the {len(own)} weights of the model fit: {error}. Use '
            'the config with which it was trained'
        ) from None
