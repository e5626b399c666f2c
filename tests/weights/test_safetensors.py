"""Safetensors files: equal tensors, provenance in the metadata, and detection of every modified byte."""

import json

import pytest
import torch
from authors import HEADS, authors_names

from hrformer_mm import __version__
from hrformer_mm.commands.convert import convert
from hrformer_mm.models import ClassificationNeck, HRFormer
from hrformer_mm.weights import load_weights, read_checkpoint, read_tensors, sha256, verify, write_tensors

pytest.importorskip('safetensors')
ARCH = dict(num_modules=(1, 1, 1, 1), channels=(2, 2, 4, 4), num_heads=(1, 1, 2, 2), num_blocks=1)


def header(path):
    content = path.read_bytes()
    return json.loads(content[8 : 8 + int.from_bytes(content[:8], 'little')])['__metadata__']


@pytest.mark.parametrize('task', ['backbone', 'pose', 'classification'])
@pytest.mark.parametrize('authors', [True, False])
def test_every_layout(tmp_path, task, authors):
    """The tensors equal those of the `.pth` file, and the metadata contain their source."""
    state = HRFormer(ARCH).state_dict()
    state = {f'backbone.{k}': v for k, v in (authors_names(state) if authors else state).items()}
    if task == 'pose':
        state.update(
            {
                'keypoint_head.final_layer.weight': torch.randn(17, 2, 1, 1),
                'keypoint_head.final_layer.bias': torch.randn(17),
            }
        )
    if task == 'classification':
        for name, value in ClassificationNeck(ARCH['channels']).state_dict().items():
            name = f'neck.0.{name}'
            known = [
                (ours, theirs)
                for ours, theirs in (
                    ('neck.0.increase.', 'incre_modules.'),
                    ('neck.0.downsample.', 'downsamp_modules.'),
                    ('neck.0.final.', 'final_layer.'),
                )
                if name.startswith(ours)
            ]
            if authors:
                ours, theirs = known[0]
                rest = name.removeprefix(ours)
                name = theirs + (rest.replace('.', '.0.', 1) if 'incre' in theirs else rest)
            state[name] = value
        state.update(
            {
                f'{"classifier" if authors else "head.fc"}.weight': torch.randn(5, 2048),
                f'{"classifier" if authors else "head.fc"}.bias': torch.randn(5),
            }
        )
    assert task in HEADS
    torch.save(state, tmp_path / 'a.pth')
    assert convert(tmp_path / 'a.pth', tmp_path / 'b.pth') == convert(tmp_path / 'a.pth', tmp_path / 'b.safetensors')
    plain, other = read_tensors(tmp_path / 'b.pth'), read_tensors(tmp_path / 'b.safetensors')
    assert plain.keys() == other.keys() and all(torch.equal(plain[name], other[name]) for name in plain)
    metadata = header(tmp_path / 'b.safetensors')
    assert len(metadata.pop('sha256')) == 64
    assert metadata == dict(
        format='pt', source='a.pth', source_sha256=sha256(tmp_path / 'a.pth'), converter=f'hrformer_mm {__version__}'
    )


def test_every_modified_byte_is_detected(tmp_path):
    write_tensors({'a': torch.randn(20), 'b': torch.tensor(3)}, tmp_path / 'a.safetensors')
    content = (tmp_path / 'a.safetensors').read_bytes()
    verify(tmp_path / 'a.safetensors')
    for index in range(len(content)):
        (tmp_path / 'b.safetensors').write_bytes(
            content[:index] + bytes([content[index] ^ 0x10]) + content[index + 1 :]
        )
        try:
            found = read_checkpoint(tmp_path / 'b.safetensors')
        except ValueError as error:
            assert 'b.safetensors' in str(error)
        else:  # a byte of the checksum's own name
            assert torch.equal(found['a'], read_checkpoint(tmp_path / 'a.safetensors')['a'])
            assert b'"sha256"' not in (tmp_path / 'b.safetensors').read_bytes()
    (tmp_path / 'b.safetensors').write_bytes(content[:-10])
    with pytest.raises(ValueError, match='b.safetensors'):
        read_checkpoint(tmp_path / 'b.safetensors')


def test_files_of_other_packages_and_map_location(tmp_path):
    from safetensors.torch import save_file

    model, other = HRFormer(ARCH), HRFormer(ARCH)
    save_file(model.state_dict(), tmp_path / 'a.safetensors')
    load_weights(other, read_tensors(tmp_path / 'a.safetensors'), 'a', 'backbone.')
    assert torch.equal(other.conv1.weight, model.conv1.weight)
    assert read_checkpoint(tmp_path / 'a.safetensors', 'meta')['conv1.weight'].is_meta


def test_without_the_library(tmp_path, run_python):
    write_tensors({'a': torch.ones(2)}, tmp_path / 'a.safetensors')
    out = run_python(
        'import sys; sys.modules["safetensors"] = None\n'
        'from hrformer_mm.weights import read_tensors\n'
        'try: read_tensors(sys.argv[1])\nexcept ImportError as error: print(error)',
        tmp_path / 'a.safetensors',
    )
    assert 'pip install safetensors' in out
