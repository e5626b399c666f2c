"""Weights of any variant survive a round trip through any released layout."""

import pytest
import torch
from authors import HEADS, authors_names
from hypothesis import given, settings
from hypothesis import strategies as st

from hrformer_mm.commands.convert import describe_backbone
from hrformer_mm.models.hrformer import HRFormer
from hrformer_mm.weights import convert_names

few = settings(max_examples=5, deadline=None, derandomize=True)


@st.composite
def arguments(draw):
    branch = st.integers(1, 2)
    heads = draw(st.tuples(*[branch] * 4))
    return dict(
        arch=dict(
            num_modules=(1, *draw(st.tuples(*[branch] * 3))),
            channels=tuple(h * draw(branch) for h in heads),
            num_heads=heads,
            num_blocks=draw(branch),
            mlp_ratio=draw(st.sampled_from([1, 2, 3])),
        ),
        window_sizes=draw(st.tuples(*[st.integers(1, 5)] * 4)),
        out_indices=draw(st.sets(st.integers(0, 3), min_size=1).map(lambda s: tuple(sorted(s)))),
    )


def random_state(given_arguments):
    torch.manual_seed(0)
    state = HRFormer(**given_arguments).state_dict()
    return {k: torch.randn_like(v) if v.is_floating_point() else v for k, v in state.items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in b)


@pytest.mark.parametrize('task', HEADS)
@few
@given(
    given_arguments=arguments(),
    prefix=st.sampled_from(['', 'backbone.', 'module.', 'module.backbone.']),
    order=st.randoms(use_true_random=False),
)
def test_round_trip_through_the_authors_names(task, given_arguments, prefix, order):
    state = random_state(given_arguments)
    ours = {f'backbone.{k}': v for k, v in state.items() if not k.endswith('relative_position_index')}
    theirs = {prefix + name: value for name, value in authors_names(state).items()}
    for our_name, their_name in HEADS[task].items():
        for leaf in ('weight', 'bias'):
            ours[our_name + leaf] = theirs[their_name + leaf] = torch.randn(3)
    shuffled = list(theirs.items())
    order.shuffle(shuffled)
    if task == 'pose':  # the authors' pose code does not use its tables
        ours = {k: torch.zeros_like(v) if k.endswith('bias_table') else v for k, v in ours.items()}
    converted = convert_names(dict(shuffled))
    assert same(converted, ours)
    assert same(convert_names(converted), ours)  # what was converted is converted to itself
    backbone = {name.removeprefix('backbone.'): value for name, value in converted.items()}
    assert describe_backbone(backbone) == given_arguments


def test_mmposes_tables_and_unknown_names_are_unchanged():
    state = {
        'stage2.0.branches.0.0.attn.attn.qkv.weight': torch.randn(3, 1),
        'stage2.0.branches.0.0.attn.attn.relative_position_bias_table': torch.randn(9, 1),
        'keypoint_head.final_layer.bias': torch.randn(2),
        'neck.a': torch.randn(1),
    }
    assert same(
        convert_names(state),
        dict(
            zip(['backbone.' + name for name in list(state)[:2]] + ['head.final_layer.bias', 'neck.a'], state.values())
        ),
    )
    resnet = {'layer1.0.conv1.weight': torch.randn(2)}
    assert same(convert_names(resnet), resnet)


def test_incomplete_projection():
    state = {f'stage2.0.branches.0.0.attn.attn.{part}_proj.bias': torch.zeros(2) for part in 'qv'}
    with pytest.raises(ValueError, match='attn.qkv.bias needs q_proj, k_proj and v_proj, but there is only q, v'):
        convert_names(state)
