"""Counts agree with the paper, with the authors' scripts, and with formulas."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from mmengine.config import Config

from hrformer_mm.cli import main
from hrformer_mm.commands.complexity import complexity, part_of
from hrformer_mm.models.arch import ARCHS

CONFIGS = Path(__file__).parents[2] / 'configs'


@pytest.mark.parametrize('name, everything, paper', [('t', 1.708, 1.83), ('s', 3.364, 3.56), ('b', 13.308, 13.71)])
def test_classification(name, everything, paper):
    """Our count is slightly below the authors' counter, which includes inactive dropout."""
    count = complexity(str(CONFIGS / f'hrformer-{name}_imagenet.py'))
    assert count.size == (224, 224)
    assert round(count.total.everything / 1e9, 3) == everything
    assert 0.99 * paper < count.paper(count.total) / 1e9 < paper


@pytest.mark.parametrize(
    'name, paper',
    [
        ('t_coco-256x192', 1.3),
        ('s_coco-256x192', 2.8),
        ('s_coco-384x288', 6.2),
        ('b_coco-256x192', 12.2),
        ('b_coco-384x288', 26.8),
    ],
)
def test_pose(name, paper):
    count = complexity(str(CONFIGS / f'td-hm_hrformer-{name}.py'))
    assert count.paper(count.total) / 1e9 == pytest.approx(paper, rel=0.02)
    assert f'{count.size[0]}x{count.size[1]}' in name


def test_the_misprint_of_table_3():
    """384x288 has 2.25 times the pixels and operations of 256x192: 2.9 G for T, not 1.8 G."""
    small, large = (
        complexity(str(CONFIGS / f'td-hm_hrformer-t_coco-{size}.py')).total.weights for size in ('256x192', '384x288')
    )
    assert large == 2.25 * small and round(large / 1e9, 1) == 2.9


@pytest.mark.parametrize('arch, window, authors', [('s', 9, 422.8918), ('b', 11, 1069.6191), ('b', 15, 1119.8634)])
def test_segmentation(arch, window, authors, tmp_path):
    """The figures are from `seg/scripts/test_flops` in the authors' repository, at 1024x1024."""
    cfg = Config.fromfile(CONFIGS / f'ocr_hrformer-{arch}_cityscapes.py')
    cfg.model.backbone.window_sizes = window
    cfg.dump(tmp_path / 'config.py')
    count = complexity(str(tmp_path / 'config.py'))
    assert count.paper(count.total) / 1e9 == pytest.approx(authors, rel=0.002)


def test_attention_by_hand():
    """Every block has four projections, and two products on maps that are padded to whole windows."""
    count = complexity(str(CONFIGS / 'td-hm_hrformer-s_coco-256x192.py'))
    arch, blocks = ARCHS['small'], {2: (2, 2), 3: (8, 8, 8), 4: (4, 4, 4, 4)}
    for stage, per_branch in blocks.items():
        weights = products = parameters = 0
        for branch, number in enumerate(per_branch):
            height, width, c = 64 >> branch, 48 >> branch, arch['channels'][branch]
            padded = -(-height // 7) * 7 * -(-width // 7) * 7
            weights += number * height * width * 4 * c * c
            products += number * padded * 2 * 49 * c
            parameters += number * (4 * c * c + 4 * c + 169 * arch['num_heads'][branch])
        part = count.parts[f'stage {stage}: attention']
        assert (part.weights, part.products, part.parameters) == (weights, products, parameters)


def test_parts_add_up_to_the_total():
    count = complexity(str(CONFIGS / 'ocr_hrformer-s_cityscapes.py'), (64, 128))
    assert count.total.parameters == sum(part.parameters for part in count.parts.values()) == 13_523_856
    assert list(count.parts)[:3] == ['stem', 'stage 1', 'transitions'] and list(count.parts)[-1] == 'head'
    assert {f'stage {n}: {kind}' for n in (2, 3, 4) for kind in ('attention', 'FFN', 'fusion')} < set(count.parts)
    stem = count.parts['stem']
    assert stem.weights == 32 * 64 * 27 * 64 + 16 * 32 * 9 * 64 * 64 and stem.parameters == 27 * 64 + 9 * 64 * 64 + 256


@pytest.mark.parametrize(
    'name, part',
    [
        ('backbone.conv2', 'stem'),
        ('backbone.bn1.weight', 'stem'),
        ('backbone.layer1.0.conv1', 'stage 1'),
        ('backbone.transition2.3', 'transitions'),
        ('backbone.stage3.1.branches.2.0.attn.attn.qkv', 'stage 3: attention'),
        ('backbone.stage3.1.branches.2.0.ffn', 'stage 3: FFN'),
        ('backbone.stage4.0.branches.3.1.norm1', 'stage 4: blocks'),
        ('backbone.stage2.0.fuse_layers.0.1', 'stage 2: fusion'),
        ('decode_head.fuse', 'head'),
        ('neck.0.increase', 'neck'),
    ],
)
def test_part_of(name, part):
    assert part_of(name) == part


def test_command(tmp_path):
    config = str(CONFIGS / 'td-hm_hrformer-t_coco-256x192.py')
    table = CliRunner().invoke(main, ['complexity', config])
    assert table.exit_code == 0 and all(text in table.output for text in ('total', '2,518,071', '1.288 G'))
    (found,) = json.loads(CliRunner().invoke(main, ['complexity', config, '--json', '--size', '64', '64']).stdout)
    assert found['size'] == [64, 64] and found['parts']['total']['parameters'] == 2_518_071
    assert found['parts']['total']['everything'] > found['parts']['total']['paper']
    (tmp_path / 'empty.py').write_text('')
    for path, message in (('none.py', 'none.py'), (str(tmp_path / 'empty.py'), 'has no model')):
        wrong = CliRunner().invoke(main, ['complexity', path])
        assert wrong.exit_code == 1 and message in wrong.output
