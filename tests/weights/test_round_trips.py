"""Weights of any variant, in any released layout, come back as they were."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hrformer_mm.models.hrformer import HRFormer
from hrformer_mm.weights import Layout, convert_names, describe_backbone, recognise

few = settings(max_examples=8, deadline=None, derandomize=True)

# Our names and the authors', head by head, as their code declares them.
HEADS = {
    'backbone': {},
    'pose': {'head.final_layer.': 'keypoint_head.final_layer.'},
    'classification': {'neck.0.increase.0.': 'incre_modules.0.0.', 'neck.0.increase.3.': 'incre_modules.3.0.',
                       'neck.0.downsample.2.': 'downsamp_modules.2.', 'neck.0.final.1.': 'final_layer.1.',
                       'head.fc.': 'classifier.'},
    'segmentation': {
        'decode_head.pixels.0.': 'conv3x3.0.', 'decode_head.pixels.1.': 'conv3x3.1.0.',
        'decode_head.auxiliary.0.': 'aux_head.0.', 'decode_head.auxiliary.1.': 'aux_head.1.0.',
        'decode_head.auxiliary.3.': 'aux_head.2.', 'decode_head.conv_seg.': 'cls_head.',
        'decode_head.fuse.0.': 'ocr_distri_head.conv_bn_dropout.0.',
        'decode_head.fuse.1.': 'ocr_distri_head.conv_bn_dropout.1.0.',
        **{f'decode_head.attention.{ours}.{i}.': f'ocr_distri_head.object_context_block.{theirs}.{j}.'
           for ours, theirs in (('query', 'f_pixel'), ('key', 'f_object'))
           for i, j in ((0, '0'), (1, '1.0'), (3, '2'), (4, '3.0'))},
        **{f'decode_head.attention.{ours}.{i}.': f'ocr_distri_head.object_context_block.{theirs}.{j}.'
           for ours, theirs in (('value', 'f_down'), ('project', 'f_up')) for i, j in ((0, '0'), (1, '1.0'))},
    },
}


@st.composite
def arguments(draw):
    stream = st.integers(1, 2)
    heads = draw(st.tuples(*[stream] * 4))
    return dict(
        arch=dict(num_modules=(1, *draw(st.tuples(*[stream] * 3))), channels=tuple(h * draw(stream) for h in heads),
                  num_heads=heads, num_blocks=draw(stream), mlp_ratio=draw(st.sampled_from([1, 2, 3]))),
        window_sizes=draw(st.tuples(*[st.integers(1, 5)] * 4)),
        out_indices=draw(st.sets(st.integers(0, 3), min_size=1).map(lambda s: tuple(sorted(s)))))


def authors_names(state):
    """The authors' file: queries, keys and values apart, the FFN under `mlp`, no index of relative positions."""
    theirs = {}
    for name, value in state.items():
        name = re.sub(r'\.ffn\.', '.mlp.', re.sub(r'\.attn\.attn\.proj\.', '.attn.attn.out_proj.', name))
        if '.attn.attn.qkv.' in name:
            for part, third in zip('qkv', value.chunk(3)):
                theirs[name.replace('.qkv.', f'.{part}_proj.')] = third
        elif not name.endswith('relative_position_index'):
            theirs[name] = value
    return theirs


def random_state(given_arguments):
    torch.manual_seed(0)
    state = HRFormer(**given_arguments).state_dict()
    return {k: torch.randn_like(v) if v.is_floating_point() else v for k, v in state.items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in b)


@pytest.mark.parametrize('task', HEADS)
@few
@given(given_arguments=arguments(), prefix=st.sampled_from(['', 'backbone.']), order=st.randoms(use_true_random=False))
def test_the_authors_names_and_back(task, given_arguments, prefix, order):
    state = random_state(given_arguments)
    ours = {f'backbone.{name}': value for name, value in state.items()}
    theirs = {prefix + name: value for name, value in authors_names(state).items()}
    for our_name, their_name in HEADS[task].items():
        for leaf in ('weight', 'bias'):
            ours[our_name + leaf] = theirs[their_name + leaf] = torch.randn(3)
    shuffled = list(theirs.items())
    order.shuffle(shuffled)
    layout = recognise(dict(shuffled))
    assert layout == Layout(task, authors=True)
    if task == 'pose':  # the authors' pose code does not use its tables
        ours = {k: torch.zeros_like(v) if k.endswith('bias_table') else v for k, v in ours.items()}
    converted = convert_names(dict(shuffled), layout)
    assert same(converted, ours)
    # What was converted is converted to itself, and still says what it is the weights of.
    assert recognise(converted) == Layout(task, authors=False)
    assert same(convert_names(converted, recognise(converted)), ours)


@few
@given(given_arguments=arguments())
def test_the_variant_is_read_off_its_weights(given_arguments):
    state = random_state(given_arguments)
    described = describe_backbone(state)
    assert described == given_arguments
    again = HRFormer(**described)
    assert {k: v.shape for k, v in again.state_dict().items()} == {k: v.shape for k, v in state.items()}
