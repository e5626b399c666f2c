import pytest
import torch

from hrformer_mm.weights import Layout, convert_names, recognise

BLOCK = 'stage2.0.branches.0.0.'


def backbone(authors=True, prefix=''):
    if authors:
        names = [f'attn.attn.{part}.{leaf}' for part in ('q_proj', 'k_proj', 'v_proj', 'out_proj')
                 for leaf in ('weight', 'bias')] + ['mlp.fc1.weight']
    else:
        names = ['attn.attn.qkv.weight', 'attn.attn.qkv.bias', 'attn.attn.proj.weight', 'ffn.fc1.weight']
    state = {BLOCK + name: torch.randn(4, 4) if name.endswith('weight') else torch.randn(4) for name in names}
    state[BLOCK + 'attn.attn.relative_position_bias_table'] = torch.randn(9, 2)
    state['conv1.weight'] = torch.randn(4, 3, 3, 3)
    return {prefix + name: value for name, value in state.items()}


def test_projections_are_joined_in_the_order_of_queries_keys_and_values():
    state = backbone()
    ours = convert_names(state, recognise(state))
    for leaf in ('weight', 'bias'):
        parts = [state[f'{BLOCK}attn.attn.{part}_proj.{leaf}'] for part in 'qkv']
        assert torch.equal(ours[f'backbone.{BLOCK}attn.attn.qkv.{leaf}'], torch.cat(parts))
    assert torch.equal(ours[f'backbone.{BLOCK}attn.attn.proj.bias'], state[f'{BLOCK}attn.attn.out_proj.bias'])
    assert torch.equal(ours[f'backbone.{BLOCK}ffn.fc1.weight'], state[f'{BLOCK}mlp.fc1.weight'])
    assert torch.equal(ours[f'backbone.{BLOCK}attn.attn.relative_position_index'],
                       torch.tensor([[4, 3, 1, 0], [5, 4, 2, 1], [7, 6, 4, 3], [8, 7, 5, 4]]))


@pytest.mark.parametrize('authors', [True, False])
@pytest.mark.parametrize('prefix', ['', 'backbone.'])
@pytest.mark.parametrize('task, head', [
    ('backbone', []),
    ('pose', ['keypoint_head.final_layer.weight']),
    ('pose', ['head.final_layer.weight', 'head.final_layer.bias']),
    ('segmentation', ['conv3x3.1.0.bias', 'aux_head.2.bias', 'cls_head.weight']),
    ('classification', ['incre_modules.0.0.conv1.weight', 'final_layer.0.bias', 'classifier.bias']),
    ('segmentation', ['decode_head.pixels.0.weight', 'decode_head.conv_seg.bias']),
    ('classification', ['neck.0.final.0.bias', 'head.fc.bias']),
])
def test_recognised(authors, prefix, task, head):
    state = {**backbone(authors, prefix), **{name: torch.zeros(1) for name in head}}
    assert recognise(state) == Layout(task, authors)
    again = convert_names(convert_names(state, recognise(state)), Layout(task, False))
    assert again.keys() == convert_names(state, recognise(state)).keys()


def test_tables_that_the_authors_pose_code_does_not_use_become_zero():
    table = f'backbone.{BLOCK}attn.attn.relative_position_bias_table'
    head = {'keypoint_head.final_layer.weight': torch.zeros(1)}
    for state, zero in (({**backbone(), **head}, True), ({**backbone(False), **head}, False), (backbone(), False)):
        assert bool(convert_names(state, recognise(state))[table].any()) != zero


def test_a_stored_index_is_kept():
    index = torch.arange(16).view(4, 4)
    state = {**backbone(False), f'{BLOCK}attn.attn.relative_position_index': index}
    assert torch.equal(convert_names(state, recognise(state))[f'backbone.{BLOCK}attn.attn.relative_position_index'],
                       index)


def test_unknown_keys_are_listed():
    with pytest.raises(ValueError, match='2 keys belong to no head.*neck.a, neck.b'):
        recognise({**backbone(), 'cls_head.weight': torch.zeros(1), 'neck.a': torch.zeros(1), 'neck.b': torch.zeros(1)})
    with pytest.raises(ValueError, match='no HRFormer weights.*the keys are layer1.0.weight'):
        recognise({'layer1.0.weight': torch.zeros(1)})
    with pytest.raises(ValueError, match='no HRFormer weights'):
        recognise({**backbone(True), **backbone(False)})


def test_a_projection_that_is_not_whole():
    state = backbone()
    del state[f'{BLOCK}attn.attn.k_proj.bias']
    with pytest.raises(ValueError, match='attn.qkv.bias needs q_proj, k_proj and v_proj, but there is only q, v'):
        convert_names(state, recognise(state))


def test_a_table_of_no_square_window():
    state = backbone()
    state[f'{BLOCK}attn.attn.relative_position_bias_table'] = torch.zeros(15, 2)
    with pytest.raises(ValueError, match='15 rows'):
        convert_names(state, recognise(state))
