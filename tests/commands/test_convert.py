import math
import os

import pytest
import torch
from click.testing import CliRunner

from hrformer_mm.cli import main as cli
from hrformer_mm.commands.convert import convert
from hrformer_mm.models import ClassificationNeck, HRFormer

MICRO = dict(num_modules=(1, 1, 1, 1), channels=(6, 12, 18, 24), num_heads=(1, 2, 3, 4))


def backbone(**kwargs):
    return {f'backbone.{k}': v for k, v in HRFormer(**{'arch': MICRO, **kwargs}).state_dict().items()}


@pytest.mark.parametrize('version', ['v2', 'v3'])
def test_segmentation_versions(tmp_path, version):
    pytest.importorskip('mmseg')
    from hrformer_mm.models.ocr_head import OCRHead

    head = OCRHead(in_channels=MICRO['channels'], num_classes=4, version=version).state_dict()
    state = {**backbone(window_sizes=(9, 7, 5, 3)), **{f'decode_head.{name}': value for name, value in head.items()}}
    torch.save(state, tmp_path / 'a.pth')
    done = convert(tmp_path / 'a.pth', tmp_path / 'b.pth')
    assert done.arguments['window_sizes'] == (9, 7, 5, 3) and done.arch == 'custom'
    assert torch.load(tmp_path / 'b.pth', weights_only=True).keys() == state.keys()
    trained = sum(math.prod(v.shape) for k, v in state.items() if not k.endswith(('_mean', '_var', 'tracked', 'index')))
    assert done.parameters == trained


def test_mmposes_files(tmp_path):
    """OpenMMLab publishes mmpose's names from before and after version 1, and backbones without a head."""
    head = {'weight': torch.randn(17, 6, 1, 1), 'bias': torch.randn(17)}
    for prefix in ('keypoint_head.final_layer.', 'head.final_layer.', None):
        state = backbone(out_indices=(0,))
        if prefix:
            state.update({prefix + k: v for k, v in head.items()})
        torch.save(dict(meta=dict(epoch=210), state_dict=state), tmp_path / 'a.pth')
        assert not convert(tmp_path / 'a.pth', tmp_path / 'b.pth').layout.authors
        written = torch.load(tmp_path / 'b.pth', weights_only=True)
        table = [k for k in written if k.endswith('bias_table')][0]
        assert torch.equal(written[table], state[table]) and ('head.final_layer.bias' in written) == bool(prefix)


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda s: s.pop('backbone.conv1.weight'), 'Keys 1 missing: backbone.conv1.weight'),
        (lambda s: s.pop('head.fc.bias'), 'Keys 1 missing: head.fc.bias'),
        (
            lambda s: [s.pop(k) for k in list(s) if 'stage4' in k],
            'the key stage4.0.branches.0.0.norm1.weight is missing',
        ),
        (
            lambda s: [s.pop(k) for k in list(s) if 'attn' in k],
            'no.* HRFormer weights.*the keys are backbone.conv1.weight',
        ),
        (lambda s: s.pop('head.fc.weight'), 'the key head.fc.weight is missing'),
        (lambda s: s.update({'backbone.stage2.0.extra': torch.zeros(1)}), 'unknown: backbone.stage2.0.extra'),
        (lambda s: s.update({'neck.0.final.0.bias': torch.zeros(9)}), r'neck.0.final.0.bias is \(9,\), not \(2048,\)'),
        (lambda s: s.update({'something.else': torch.zeros(1)}), 'Keys 1 unknown: something.else'),
    ],
)
def test_incomplete_files_write_nothing(tmp_path, change, message):
    neck = ClassificationNeck(MICRO['channels'])
    state = {
        **backbone(),
        **{f'neck.0.{k}': v for k, v in neck.state_dict().items()},
        'head.fc.weight': torch.zeros(7, 2048),
        'head.fc.bias': torch.zeros(7),
    }
    torch.save(state, tmp_path / 'good.pth')
    assert convert(tmp_path / 'good.pth', tmp_path / 'b.pth').layout.task == 'classification'
    os.remove(tmp_path / 'b.pth')
    change(state)
    torch.save(state, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=message) as caught:
        convert(tmp_path / 'a.pth', tmp_path / 'b.pth')
    assert 'a.pth' in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == ['a.pth', 'good.pth']


def test_without_the_host_libraries(tmp_path, run_python):
    torch.save(backbone(), tmp_path / 'a.pth')
    run_python(
        'import sys; sys.modules.update(dict.fromkeys(("mmseg", "mmpose", "mmpretrain")))\n'
        'from hrformer_mm.commands.convert import convert; convert(*sys.argv[1:])',
        tmp_path / 'a.pth',
        tmp_path / 'b.pth',
    )
    assert torch.load(tmp_path / 'b.pth').keys() == backbone().keys()


def test_a_file_of_this_package_is_already_in_this_layout(tmp_path):
    """A file of a released shape is rewritten; for any other, the error states the differences."""
    torch.save(dict(state_dict=backbone(), optimizer={}), tmp_path / 'a.pth')
    out = CliRunner().invoke(cli, ['convert', str(tmp_path / 'a.pth'), str(tmp_path / 'b.pth')])
    assert out.exit_code == 0 and 'already in this layout' in out.output and (tmp_path / 'b.pth').is_file()
    os.remove(tmp_path / 'b.pth')
    others = [
        {**backbone(), 'decode_head.conv_seg.weight': torch.zeros(2, 8, 1, 1)},
        backbone(with_dwconv=False),
        backbone(with_rpe=False),
        {**backbone(), 'auxiliary_head.conv_seg.bias': torch.zeros(2)},
    ]
    for state in others:
        torch.save(dict(state_dict=state), tmp_path / 'a.pth')
        out = CliRunner().invoke(cli, ['convert', str(tmp_path / 'a.pth'), str(tmp_path / 'b.pth')])
        assert out.exit_code == 1 and 'already in this layout' in out.output and 'do not fit' not in out.output
        assert len(out.output.splitlines()) == 1 and not (tmp_path / 'b.pth').exists()
