"""Both forms of any valid variant are equivalent, and the error names any single invalid value."""

import copy
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrformer_mm.models.arch import Arch, Stage, from_arch, from_extra

few = settings(max_examples=60, deadline=None, derandomize=True)
count = st.integers(1, 9)
rates = st.floats(0, 1, exclude_max=True)
ratios = st.one_of(st.integers(1, 8), st.floats(1, 8))
window = st.one_of(count, st.tuples(count, count))
WRONG = [0, -1, 1.5, '2', None, True, [], float('nan'), {}]


@st.composite
def variants(draw):
    heads = draw(st.tuples(*[count] * 4))
    return dict(
        num_modules=(1, *draw(st.tuples(*[count] * 3))),
        channels=tuple(h * draw(count) for h in heads),
        num_heads=heads,
        num_blocks=draw(count),
        mlp_ratio=draw(ratios),
        drop_path_rate=draw(rates),
    )


def as_extra(arch, windows):
    """Convert an arch to the form of mmpose's configs."""
    extra = dict(
        drop_path_rate=arch['drop_path_rate'],
        stage1=dict(num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(2,), num_channels=(64,)),
    )
    for n in (2, 3, 4):
        extra[f'stage{n}'] = dict(
            num_modules=arch['num_modules'][n - 1],
            num_branches=n,
            block='HRFORMERBLOCK',
            num_blocks=[arch['num_blocks']] * n,
            num_channels=arch['channels'][:n],
            num_heads=arch['num_heads'][:n],
            mlp_ratios=[arch['mlp_ratio']] * n,
            window_sizes=windows[:n],
        )
    return extra


@few
@given(arch=variants(), windows=st.tuples(*[window] * 4))
def test_arch_and_extra_are_equivalent(arch, windows):
    before = copy.deepcopy(arch)
    pairs = tuple((w, w) if isinstance(w, int) else w for w in windows)
    expected = Arch(
        2,
        64,
        tuple(
            Stage(
                arch['num_modules'][n - 1],
                (arch['num_blocks'],) * n,
                arch['channels'][:n],
                arch['num_heads'][:n],
                pairs[:n],
                (float(arch['mlp_ratio']),) * n,
            )
            for n in (2, 3, 4)
        ),
        arch['drop_path_rate'],
    )
    assert (
        from_arch(arch, windows)
        == from_arch({k: list(v) if isinstance(v, tuple) else v for k, v in arch.items()}, [list(p) for p in pairs])
        == expected
    )
    assert from_extra(as_extra(arch, windows))[0] == expected and arch == before


@few
@given(arch=variants(), data=st.data())
def test_error_names_an_invalid_value(arch, data):
    key = data.draw(st.sampled_from(sorted(arch)))
    wrong = data.draw(st.sampled_from(WRONG))
    if isinstance(arch[key], tuple) and data.draw(st.booleans()):
        place = data.draw(st.integers(0, 3))
        arch[key] = tuple(wrong if i == place else v for i, v in enumerate(arch[key]))
        key = f'{key}[{place}]'
    elif isinstance(arch[key], tuple):
        arch[key] = data.draw(st.sampled_from([arch[key][1:], (*arch[key], 1), wrong]))
    elif key == 'drop_path_rate':
        wrong = arch[key] = data.draw(st.sampled_from([w for w in WRONG if w != 0] + [1, 2, math.inf]))
    elif key == 'mlp_ratio':
        wrong = arch[key] = data.draw(st.sampled_from([w for w in WRONG if w != 1.5] + [math.inf, (4, 4)]))
    else:
        arch[key] = wrong
    with pytest.raises((TypeError, ValueError)) as caught:
        from_arch(arch, 7)
    value = wrong if '[' in key or not isinstance(arch[key], tuple) else arch[key]
    assert f'arch.{key}' in str(caught.value) and repr(value) in str(caught.value)


@few
@given(arch=variants(), data=st.data())
def test_error_names_an_invalid_window(arch, data):
    place, wrong = data.draw(st.integers(0, 3)), data.draw(st.sampled_from([*WRONG, (7,), (7, 0), (7, 7, 7)]))
    windows = tuple(wrong if i == place else 7 for i in range(4))
    for read in (lambda: from_arch(arch, windows), lambda: from_extra(as_extra(arch, windows))):
        with pytest.raises((TypeError, ValueError), match=rf'window_sizes\[{place}\]'):
            read()


@few
@given(arch=variants(), data=st.data())
def test_error_names_heads_that_do_not_divide_the_channels(arch, data):
    stream = data.draw(st.integers(0, 3))
    arch['num_heads'] = tuple(arch['channels'][i] + (i == stream) for i in range(4))
    with pytest.raises(ValueError, match=rf'num_heads\[{stream}\] is .* divide the {arch["channels"][stream]} ch'):
        from_arch(arch, 7)
