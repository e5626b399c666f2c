import pytest
import torch

from hrformer_mm.layers import WindowAttention
from hrformer_mm.models.hrformer import HRFormer
from hrformer_mm.ops import resize_bias_table
from hrformer_mm.weights import describe_backbone, fit_backbone, load_backbone

MICRO = dict(num_modules=(1, 1, 2, 1), channels=(6, 12, 18, 24), num_heads=(1, 2, 3, 4), num_blocks=1, mlp_ratio=2)


def fit(state, model):
    windows = {name: m.window_size for name, m in model.named_modules() if isinstance(m, WindowAttention)}
    return fit_backbone(state, {name: value.shape for name, value in model.state_dict().items()}, windows)


@pytest.mark.parametrize('windows', [9, (9, (7, 5), 3, 7), 7])
def test_other_windows_resize_the_tables(windows):
    source, target = HRFormer(MICRO), HRFormer(MICRO, windows)
    target.load_state_dict(fit(source.state_dict(), target))
    for (name, a), b in zip(source.named_modules(), target.modules()):
        if isinstance(a, WindowAttention):
            expected = resize_bias_table(a.relative_position_bias_table, (7, 7), b.window_size)
            assert torch.allclose(b.relative_position_bias_table, expected, atol=1e-6), name
    assert torch.equal(source.conv1.weight, target.conv1.weight)


def test_resizing_is_said(monkeypatch):
    said = []
    monkeypatch.setattr('hrformer_mm.weights.backbone.print_log', lambda message, **_: said.append(message))
    fit(HRFormer(MICRO).state_dict(), HRFormer(MICRO, (15, 7, 7, 7)))
    assert said == ['Resized 4 tables of relative position bias from windows of 7x7 to 15x15.']
    fit(HRFormer(MICRO).state_dict(), HRFormer(MICRO))
    assert len(said) == 1


def test_streams_and_tables_that_the_model_lacks_are_left_out():
    source = HRFormer(MICRO)
    target = HRFormer(MICRO, out_indices=(0, ), with_rpe=False)
    target.load_state_dict(fit(source.state_dict(), target))
    x = torch.randn(1, 3, 32, 32)
    for name, value in source.state_dict().items():
        if name.endswith('bias_table'):
            value.zero_()
    assert torch.allclose(target.eval()(x)[0], source.eval()(x)[0], atol=1e-6)


def test_the_backbone_of_a_model_with_another_head(tmp_path):
    source, target = HRFormer(MICRO), HRFormer(MICRO)
    windows = {name: m.window_size for name, m in target.named_modules() if isinstance(m, WindowAttention)}
    shapes = {name: value.shape for name, value in target.state_dict().items()}
    state = {f'backbone.{name}': value for name, value in source.state_dict().items()}
    torch.save({**state, 'bbox_head.weight': torch.zeros(1)}, tmp_path / 'a.pth')
    target.load_state_dict(load_backbone(tmp_path / 'a.pth', shapes, windows))
    assert torch.equal(target.conv1.weight, source.conv1.weight)
    torch.save({**state, 'backbone.bbox_head.weight': torch.zeros(1)}, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='a.pth: 1 keys belong to no head.*backbone.bbox_head.weight'):
        load_backbone(tmp_path / 'a.pth', shapes, windows)


def test_what_does_not_fit_is_listed():
    state = HRFormer(MICRO).state_dict()
    with pytest.raises(ValueError, match='Keys 1 missing: conv2.weight'):
        fit({k: v for k, v in state.items() if k != 'conv2.weight'}, HRFormer(MICRO))
    with pytest.raises(ValueError, match='Keys 1 unknown: fc.bias'):
        fit({**state, 'fc.bias': torch.zeros(1)}, HRFormer(MICRO))
    with pytest.raises(ValueError, match=r'of another shape: .*conv1.weight is \(64, 3, 3, 3\), not \(64, 1, 3, 3\)'):
        fit(state, HRFormer(MICRO, in_channels=1))
    with pytest.raises(ValueError, match=r'missing: stage3.1.branches.*; …'):
        fit({k: v for k, v in state.items() if 'stage3.1' not in k}, HRFormer(MICRO))
    part = HRFormer(MICRO, out_indices=(0, )).state_dict()
    with pytest.raises(ValueError, match='missing: stage4.0.fuse_layers.1'):
        fit(part, HRFormer(MICRO))


@pytest.mark.parametrize('arguments', [
    dict(arch=MICRO, window_sizes=(9, 7, 5, 3), out_indices=(0, 2)),
    dict(arch=dict(MICRO, num_modules=(1, 2, 1, 3), num_blocks=2, mlp_ratio=3), window_sizes=(7, 7, 7, 7),
         out_indices=(0, 1, 2, 3)),
])
def test_described(arguments):
    assert describe_backbone(HRFormer(**arguments).state_dict()) == arguments


def test_described_from_too_little():
    state = HRFormer(MICRO).state_dict()
    with pytest.raises(ValueError, match='the key stage4.0.branches.0.0.norm1.weight is missing'):
        describe_backbone({k: v for k, v in state.items() if 'stage4' not in k})
