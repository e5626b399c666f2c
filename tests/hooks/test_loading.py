"""Checkpoints that are damaged, hostile or of another model are refused, before a metric is printed."""

import os
import pickle
import shutil
import zipfile

import pytest
import torch

from hrformer_mm.weights import read_checkpoint, read_tensors


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A work folder with two checkpoints, made once."""
    import small_training
    path = tmp_path_factory.mktemp('trained')
    small_training.runner(path, 2).train()
    return path


DAMAGE = {
    'empty': lambda b: b'',
    'one byte': lambda b: b[:1],
    'cut at a tenth': lambda b: b[:len(b) // 10],
    'cut in the middle': lambda b: b[:len(b) // 2],
    'last byte missing': lambda b: b[:-1],
    'checksum missing': lambda b: b[:-71],
    'first byte flipped': lambda b: flip(b, 0),
    'byte flipped at a third': lambda b: flip(b, len(b) // 3),
    'byte flipped in the middle': lambda b: flip(b, len(b) // 2),
    'byte flipped near the end': lambda b: flip(b, -400),
    'last byte flipped': lambda b: flip(b, -1),
    'zeros from the middle on': lambda b: b[:len(b) // 2] + bytes(len(b) - len(b) // 2),
}


def flip(content, index):
    content = bytearray(content)
    content[index] ^= 0x10
    return bytes(content)


@pytest.mark.parametrize('damage', DAMAGE.values(), ids=DAMAGE)
def test_damaged(training, folder, tmp_path, damage):
    """12 of 12: refused by name with a remedy; `--resume` takes the checkpoint before it."""
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


def test_every_single_byte(tmp_path):
    """A file of a few kilobytes, each of its bytes changed in turn."""
    from hrformer_mm.weights import verify, write_tensors
    write_tensors({'a': torch.randn(20)}, tmp_path / 'a.pth')
    content = (tmp_path / 'a.pth').read_bytes()
    verify(tmp_path / 'a.pth')
    for index in range(len(content)):
        (tmp_path / 'b.pth').write_bytes(flip(content, index))
        with pytest.raises(ValueError, match='b.pth'):
            read_checkpoint(tmp_path / 'b.pth')


def test_a_flipped_byte_of_a_file_without_our_checksum(tmp_path):
    torch.save({'a': torch.randn(100)}, tmp_path / 'a.pth')
    content = (tmp_path / 'a.pth').read_bytes()
    index = content.index(torch.load(tmp_path / 'a.pth')['a'].numpy().tobytes()) + 50
    (tmp_path / 'a.pth').write_bytes(flip(content, index))
    torch.load(tmp_path / 'a.pth')  # PyTorch itself says nothing
    with pytest.raises(ValueError, match='checksum of .*data/0'):
        read_checkpoint(tmp_path / 'a.pth')


def test_none_is_good(training, folder, tmp_path):
    shutil.copytree(folder, tmp_path / 'work')
    for path in (tmp_path / 'work').glob('*.pth'):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match='none of the 2 checkpoints.*iter_2.pth.*iter_1.pth.*leave --resume out'):
        training.runner(tmp_path / 'work', 3, resume=True).train()


def changed(state, kind):
    if kind == 'window':
        key = next(key for key in state if key.endswith('relative_position_bias_table'))
        return {**state, key: torch.zeros(9, state[key].shape[1])}
    if kind == 'depth':
        return {key: value for key, value in state.items() if not key.startswith('backbone.stage4')}
    if kind == 'prefix':
        return {f'encoder.{key}': value for key, value in state.items()}
    if kind == 'head':
        return {**state, 'head.weight': torch.zeros(5, 18), 'head.bias': torch.zeros(5)}
    return {'resnet.conv1.weight': torch.zeros(2)}


@pytest.mark.parametrize('kind, pattern', [
    ('window', '1 of another shape'), ('depth', r'\d+ missing: backbone.stage4'),
    ('prefix', r'0 of the .*\d+ unknown: encoder'), ('head', '2 of another shape: head.weight is'),
    ('nothing in common', '0 of the .*1 unknown: resnet')])
def test_does_not_fit(training, tmp_path, capsys, kind, pattern):
    state = training.runner(tmp_path, model=dict(deep=True)).model.state_dict()
    torch.save(dict(state_dict=changed(state, kind)), tmp_path / 'a.pth')
    capsys.readouterr()
    for run in ('test', 'train'):
        runner = training.runner(tmp_path / 'w', 1, model=dict(deep=True), load_from=str(tmp_path / 'a.pth'))
        with pytest.raises(ValueError, match=f'a.pth was not loaded, .*{pattern}.*may_differ') as error:
            getattr(runner, run)()
    print(error.value)
    assert 'score:' not in capsys.readouterr().out
    opted = training.runner(tmp_path / 'w', 1, model=dict(deep=True), load_from=str(tmp_path / 'a.pth'),
                            custom_hooks=[dict(type='hrformer_mm.Safeguard', may_differ=[''])])
    opted.test()


def test_may_differ_names_what_may(training, tmp_path):
    state = training.runner(tmp_path, model=dict(deep=True)).model.state_dict()
    torch.save(dict(state_dict=changed(changed(state, 'head'), 'window')), tmp_path / 'a.pth')
    hooks = [dict(type='hrformer_mm.Safeguard', may_differ=['head.'])]
    with pytest.raises(ValueError, match='Keys 1 of another shape: backbone'):
        training.runner(tmp_path / 'w', model=dict(deep=True), load_from=str(tmp_path / 'a.pth'), custom_hooks=hooks).test()
    with pytest.raises(TypeError, match='may_differ'):
        training.runner(tmp_path / 'w', custom_hooks=[dict(type='hrformer_mm.Safeguard', may_differ='head')])


class Code:
    """Unpickled, it leaves a file."""

    def __init__(self, flag):
        self.flag = str(flag)

    def __reduce__(self):
        return os.mkdir, (self.flag, )


def hostile(content, kind, work, flag):
    """Write a hostile iter_2.pth into a work folder; a name of a folder appears if its code runs."""
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
def test_hostile(training, folder, tmp_path, kind):
    """6 of 6: no code runs, in convert's reader, test or resume; what can do harm is refused."""
    shutil.copytree(folder, tmp_path / 'work')
    flag = tmp_path / 'code_ran'
    (tmp_path / 'work' / 'iter_2.pth').unlink()
    path = hostile(read_checkpoint(folder / 'iter_2.pth'), kind, tmp_path / 'work', flag)
    refused = kind not in ('config', 'cfg')
    for use in (lambda: read_tensors(path), lambda: training.runner(tmp_path / 't', load_from=str(path)).test()):
        if refused and not (kind == 'foreign' and use.__code__.co_names[0] == 'read_tensors'):
            with pytest.raises(ValueError, match=str(path)):
                use()
        else:
            use()
        assert not flag.exists()
    resumed = training.runner(tmp_path / 'work', 3, resume=True)
    if kind == 'foreign':
        with pytest.raises(ValueError, match='1 of its 2 weights are no plain tensors'):
            resumed.train()
    else:
        resumed.train()
        assert os.path.basename(resumed._load_from) == ('iter_1.pth' if refused else 'iter_2.pth')
    assert not flag.exists()


def test_the_text_would_run_without_the_hook(training, folder, tmp_path):
    """The comparison above can fail."""
    path = hostile(read_checkpoint(folder / 'iter_2.pth'), 'config', tmp_path, tmp_path / 'code_ran')
    try:
        training.runner(tmp_path / 'w', 3, resume=True, load_from=str(path), custom_hooks=[]).train()
    except Exception:
        pass
    assert (tmp_path / 'code_ran').exists()
