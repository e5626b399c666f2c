"""Damaged and malicious checkpoints, and those of other models, raise errors before a metric is printed."""

import os
import pickle
import shutil
import zipfile

import pytest
import torch

from hrformer_mm.ops import resize_bias_table
from hrformer_mm.weights import read_checkpoint, read_tensors, verify, write_tensors


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Return a work folder with two checkpoints, which is created once."""
    import small_training

    path = tmp_path_factory.mktemp('trained')
    small_training.runner(path, 2).train()
    return path


DAMAGE = {
    'empty': lambda b: b'',
    'one byte': lambda b: b[:1],
    'cut at a tenth': lambda b: b[: len(b) // 10],
    'cut in the middle': lambda b: b[: len(b) // 2],
    'last byte missing': lambda b: b[:-1],
    'checksum missing': lambda b: b[:-71],
    'first byte flipped': lambda b: flip(b, 0),
    'byte flipped at a third': lambda b: flip(b, len(b) // 3),
    'byte flipped in the middle': lambda b: flip(b, len(b) // 2),
    'byte flipped near the end': lambda b: flip(b, -400),
    'last byte flipped': lambda b: flip(b, -1),
    'zeros from the middle on': lambda b: b[: len(b) // 2] + bytes(len(b) - len(b) // 2),
}


def flip(content, index):
    content = bytearray(content)
    content[index] ^= 0x10
    return bytes(content)


@pytest.mark.parametrize('damage', DAMAGE.values(), ids=DAMAGE)
def test_damaged_checkpoints(training, folder, tmp_path, damage):
    """The error names each of 12 damaged files and the remedy; `--resume` falls back to the previous checkpoint."""
    shutil.copytree(folder, tmp_path / 'work')
    last = tmp_path / 'work' / 'iter_2.pth'
    last.write_bytes(damage(last.read_bytes()))
    with pytest.raises(ValueError, match=f'{last}.*(again)') as error:
        training.runner(tmp_path / 'test', load_from=str(last)).test()
    print(error.value)
    resumed = training.runner(tmp_path / 'work', 3, resume=True)
    resumed.train()
    assert resumed._load_from == str(tmp_path / 'work' / 'iter_1.pth')
    read_checkpoint(tmp_path / 'work' / 'iter_3.pth')


def test_every_modified_byte_is_detected(tmp_path):
    """Modify each byte of a file of a few kilobytes, one after the other."""
    write_tensors({'a': torch.randn(20)}, tmp_path / 'a.pth')
    content = (tmp_path / 'a.pth').read_bytes()
    verify(tmp_path / 'a.pth')
    for index in range(len(content)):
        (tmp_path / 'b.pth').write_bytes(flip(content, index))
        with pytest.raises(ValueError, match='b.pth'):
            read_checkpoint(tmp_path / 'b.pth')


def test_modified_byte_without_our_checksum(tmp_path):
    torch.save({'a': torch.randn(100)}, tmp_path / 'a.pth')
    content = (tmp_path / 'a.pth').read_bytes()
    index = content.index(torch.load(tmp_path / 'a.pth')['a'].numpy().tobytes()) + 50
    (tmp_path / 'a.pth').write_bytes(flip(content, index))
    torch.load(tmp_path / 'a.pth')  # PyTorch itself reports nothing
    with pytest.raises(ValueError, match='checksum of .*data/0'):
        read_checkpoint(tmp_path / 'a.pth')


def test_no_valid_checkpoint(training, folder, tmp_path):
    shutil.copytree(folder, tmp_path / 'work')
    for path in (tmp_path / 'work').glob('*.pth'):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match='none of the 2 checkpoints.*iter_2.pth.*iter_1.pth.*leave --resume out'):
        training.runner(tmp_path / 'work', 3, resume=True).train()


def load(runner):
    """Load a checkpoint as a training, a test or a resumed training does."""
    runner.call_hook('before_run')
    runner.load_or_resume()


FOREIGN = {
    'head': {'head.weight': torch.zeros(5, 3), 'head.bias': torch.zeros(5)},
    'prefix': {'encoder.head.weight': torch.zeros(2, 3), 'encoder.head.bias': torch.zeros(2)},
    'nothing in common': {'resnet.conv1.weight': torch.zeros(2)},
}


@pytest.mark.parametrize(
    'kind, pattern',
    [
        ('head', '0 of the 2 .*2 of another shape: head.weight is'),
        ('prefix', '0 of the 2 .*2 unknown: encoder'),
        ('nothing in common', '0 of the 2 .*1 unknown: resnet'),
    ],
)
def test_weights_that_do_not_fit(training, tmp_path, capsys, kind, pattern):
    torch.save(dict(state_dict=FOREIGN[kind]), tmp_path / 'a.pth')
    for run in ('test', 'train'):
        runner = training.runner(tmp_path / 'w', 1, load_from=str(tmp_path / 'a.pth'))
        with pytest.raises(ValueError, match=f'a.pth was not loaded, .*{pattern}.*may_differ'):
            getattr(runner, run)()
    assert 'score:' not in capsys.readouterr().out
    training.runner(
        tmp_path / 'w',
        1,
        load_from=str(tmp_path / 'a.pth'),
        custom_hooks=[dict(type='hrformer_mm.Safeguard', may_differ=[''])],
    ).test()


def test_load_from_adapts_and_resume_does_not(training, tmp_path):
    """Load weights of another window size, wrapped and prefixed like released files."""
    path = str(tmp_path / 'a.pth')
    runner = training.runner(tmp_path / 'w', 1, model=dict(deep=True), load_from=path)
    state = {
        name: torch.randn(9, value.shape[1]) if name.endswith('bias_table') else value.clone()
        for name, value in runner.model.state_dict().items()
    }
    runner.model.backbone.conv1.weight.data.zero_()
    torch.save(dict(model={f'module.{name}': value for name, value in state.items()}), path)
    load(runner)
    table = 'backbone.stage2.0.branches.0.0.attn.attn.relative_position_bias_table'
    loaded = runner.model.state_dict()
    assert torch.equal(loaded[table], resize_bias_table(state[table], (2, 2), (7, 7)))
    assert torch.equal(loaded['backbone.conv1.weight'], state['backbone.conv1.weight'])
    torch.save(dict(state_dict=state, meta=dict(epoch=0, iter=1), message_hub={}, optimizer={}), path)
    runner = training.runner(tmp_path / 'w', 1, model=dict(deep=True), load_from=path, resume=True)
    with pytest.raises(ValueError, match='of another shape: backbone.*bias_table'):
        load(runner)


def test_may_differ(training, tmp_path):
    torch.save(dict(state_dict={**FOREIGN['head'], 'neck.a': torch.zeros(1)}), tmp_path / 'a.pth')
    hooks = [dict(type='hrformer_mm.Safeguard', may_differ=['head.'])]
    with pytest.raises(ValueError, match='Keys 1 unknown: neck.a'):
        load(training.runner(tmp_path / 'w', load_from=str(tmp_path / 'a.pth'), custom_hooks=hooks))
    with pytest.raises(TypeError, match='may_differ'):
        training.runner(tmp_path / 'w', custom_hooks=[dict(type='hrformer_mm.Safeguard', may_differ='head')])


class Code:
    """Object that creates a file when it is unpickled."""

    def __init__(self, flag):
        self.flag = str(flag)

    def __reduce__(self):
        return os.mkdir, (self.flag,)


def hostile(content, kind, work, flag):
    """Write a malicious iter_2.pth into a work folder; running its code creates a folder."""
    code = f'__import__("os").mkdir({str(flag)!r})\n'
    path = work / 'iter_2.pth'
    if kind == 'pickle':
        content['extra'] = Code(flag)
    elif kind in ('config', 'cfg'):
        content['meta'][kind] = code
    elif kind == 'pointer':
        path = work.parent / 'iter_2.pth'
        content['extra'] = Code(flag)
        (work / 'last_checkpoint').write_text('../iter_2.pth')
    elif kind == 'foreign':
        content['state_dict']['head.weight'] = torch.nn.Parameter(torch.zeros(2, 3)).to_sparse()
    torch.save(content, path, pickle_module=pickle)
    if kind == 'bomb':
        with zipfile.ZipFile(path) as old:
            records = {name: old.read(name) for name in old.namelist()}
        with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as new:
            for name, value in records.items():
                new.writestr(name, value if 'data/' not in name else bytes(50_000_000))
    return path


@pytest.mark.parametrize('kind', ['pickle', 'config', 'cfg', 'pointer', 'bomb', 'foreign'])
def test_malicious_checkpoints(training, folder, tmp_path, kind):
    """None of 6 malicious files runs code in `convert`, in tests or in resumed trainings."""
    shutil.copytree(folder, tmp_path / 'work')
    flag = tmp_path / 'code_ran'
    (tmp_path / 'work' / 'iter_2.pth').unlink()
    path = hostile(read_checkpoint(folder / 'iter_2.pth'), kind, tmp_path / 'work', flag)
    refused = kind not in ('config', 'cfg')
    for use in (lambda: read_tensors(path), lambda: training.runner(tmp_path / 't', load_from=str(path)).test()):
        if refused:
            with pytest.raises(ValueError, match=str(path)):
                use()
        else:
            use()
        assert not flag.exists()
    resumed = training.runner(tmp_path / 'work', 3, resume=True)
    if kind == 'foreign':
        with pytest.raises(ValueError, match='1 of its 2 weights are not plain tensors'):
            resumed.train()
    else:
        resumed.train()
        assert os.path.basename(resumed._load_from) == ('iter_1.pth' if refused else 'iter_2.pth')
    assert not flag.exists()


def test_code_would_run_without_the_hook(training, folder, tmp_path):
    """The test above can fail."""
    path = hostile(read_checkpoint(folder / 'iter_2.pth'), 'config', tmp_path, tmp_path / 'code_ran')
    try:
        training.runner(tmp_path / 'w', 3, resume=True, load_from=str(path), custom_hooks=[]).train()
    except Exception:
        pass
    assert (tmp_path / 'code_ran').exists()
