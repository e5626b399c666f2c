import os
import pickle

import pytest
import torch

from hrformer_mm.weights import read_tensors, write_tensors

STATE = {'a.weight': torch.randn(3, 2), 'a.num_batches_tracked': torch.tensor(4)}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) and a[k].dtype == b[k].dtype for k in a)


@pytest.mark.parametrize(
    'wrap',
    [
        lambda s: s,
        lambda s: dict(state_dict=s),
        lambda s: dict(model=s, epoch=3, optimizer=dict(lr=0.1)),
        lambda s: dict(state_dict={f'module.{k}': v for k, v in s.items()}, meta=dict(time='now')),
    ],
)
def test_plain_and_wrapped_state_dicts(tmp_path, wrap):
    torch.save(wrap(STATE), tmp_path / 'a.pth')
    assert same(read_tensors(tmp_path / 'a.pth'), STATE)
    assert same(read_tensors(str(tmp_path / 'a.pth')), STATE)


def test_written_files_are_plain_state_dicts(tmp_path):
    write_tensors(STATE, tmp_path / 'b.pth')
    assert same(torch.load(tmp_path / 'b.pth', weights_only=True), STATE)
    assert os.listdir(tmp_path) == ['b.pth']


def test_views_are_saved_without_their_storage(tmp_path):
    write_tensors({'a': torch.zeros(10**6)[:2]}, tmp_path / 'b.pth')
    assert (tmp_path / 'b.pth').stat().st_size < 10**4


def test_nothing_is_left_when_writing_fails(tmp_path, monkeypatch):
    write_tensors(STATE, tmp_path / 'b.pth')

    def full_disk(state, file):
        file.write(b'half')
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(torch, 'save', full_disk)
    with pytest.raises(OSError, match='No space left'):
        write_tensors({'other': torch.zeros(1)}, tmp_path / 'b.pth')
    assert os.listdir(tmp_path) == ['b.pth'] and same(read_tensors(tmp_path / 'b.pth'), STATE)
    with pytest.raises(FileNotFoundError, match='there is no folder'):
        write_tensors(STATE, tmp_path / 'none' / 'b.pth')


class Hostile:
    def __reduce__(self):
        return os.mkdir, ('hostile',)


def test_malicious_files_run_no_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(dict(state_dict=STATE, meta=Hostile()), 'a.pth')
    (tmp_path / 'b.pth').write_bytes(pickle.dumps(Hostile()))
    torch.save(dict(STATE, extra=Hostile()), 'c.pth', _use_new_zipfile_serialization=False)
    for name, message in (('a.pth', 'it holds a posix.mkdir'), ('b.pth', ''), ('c.pth', 'it holds a posix.mkdir')):
        with pytest.raises(ValueError, match=f'{name} was not read: {message}') as caught:
            read_tensors(name)
        assert 'weights_only' not in str(caught.value)
    assert not (tmp_path / 'hostile').exists()


@pytest.mark.parametrize('content', [b'', b'garbage', b'PK\x03\x04', b'\x80\x02}q\x00.'])
def test_missing_file(tmp_path, content):
    (tmp_path / 'a.pth').write_bytes(content)
    with pytest.raises(ValueError, match='a.pth'):
        read_tensors(tmp_path / 'a.pth')


def test_truncated_file(tmp_path):
    torch.save(STATE, tmp_path / 'a.pth')
    whole = (tmp_path / 'a.pth').read_bytes()
    for part in (1, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / 'a.pth').write_bytes(whole[:part])
        with pytest.raises(ValueError, match='a.pth'):
            read_tensors(tmp_path / 'a.pth')


def test_other_content(tmp_path):
    with pytest.raises(FileNotFoundError, match='there is no checkpoint at .*none.pth'):
        read_tensors(tmp_path / 'none.pth')
    with pytest.raises(ValueError, match='is a folder'):
        read_tensors(tmp_path)
    for content, message in (
        ([1, 2], 'no weights, but an object of type list'),
        ({}, 'no weights'),
        ({'lr': 1}, "the first 'lr'"),
    ):
        torch.save(content, tmp_path / 'a.pth')
        with pytest.raises(ValueError, match=message):
            read_tensors(tmp_path / 'a.pth')
