"""A training that is broken off and resumed ends with the weights, to the bit, of one that was not."""

import shutil

import pytest
import torch


def weights(path):
    return torch.load(path, weights_only=True)['state_dict']


DEEP = [pytest.param(dict(deep=True), marks=pytest.mark.slow), dict()]


@pytest.mark.parametrize('seed', [3, None], ids=['seed', 'no-seed'])
@pytest.mark.parametrize('workers', [0, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize('by_epoch', [False, True], ids=['iterations', 'epochs'])
@pytest.mark.parametrize('model', DEEP, ids=['drop-path', 'dropout'])
def test_resumed_is_uninterrupted(training, tmp_path, model, by_epoch, workers, seed):
    """6 against 4 + 2, with dropout, drop path, random data and validations that use random numbers."""
    if model and seed is None:
        pytest.skip('the seed is no matter of the model')
    length, stop, seed = *((3, 2) if model and by_epoch else (6, 4)), dict(seed=seed)
    name = 'epoch_{}.pth' if by_epoch else 'iter_{}.pth'
    options = dict(by_epoch=by_epoch, workers=workers, model=model, validate=True, randomness=seed)
    training.runner(tmp_path / 'whole', length, **options).train()
    (tmp_path / 'parts').mkdir()
    shutil.copy(tmp_path / 'whole' / name.format(stop), tmp_path / 'parts')  # what a kill after it would leave
    torch.rand(7)  # another process would be elsewhere
    training.runner(tmp_path / 'parts', length, resume=True, **options).train()
    whole, parts = (weights(tmp_path / folder / name.format(length)) for folder in ('whole', 'parts'))
    before = weights(tmp_path / 'whole' / name.format(stop))
    assert whole.keys() == parts.keys() and all(torch.equal(whole[key], parts[key]) for key in whole)
    assert not all(torch.equal(whole[key], before[key]) for key in whole)


def test_without_the_hook_it_differs(training, tmp_path):
    """The comparison above can fail."""
    options = dict(randomness=dict(seed=3), custom_hooks=[])
    training.runner(tmp_path / 'whole', 6, **options).train()
    middle = str(tmp_path / 'whole' / 'iter_4.pth')
    training.runner(tmp_path / 'parts', 6, resume=True, load_from=middle, **options).train()
    whole, parts = (weights(tmp_path / folder / 'iter_6.pth') for folder in ('whole', 'parts'))
    assert not all(torch.equal(whole[key], parts[key]) for key in whole)


def test_a_copied_folder_resumes_its_own(training, tmp_path):
    options = dict(validate=True, save=dict(save_best='score', rule='greater'))
    training.runner(tmp_path / 'a', 2, **options).train()
    shutil.copytree(tmp_path / 'a', tmp_path / 'b')
    before = sorted(path.name for path in (tmp_path / 'a').glob('*'))
    assert (tmp_path / 'b' / 'last_checkpoint').read_text() == str(tmp_path / 'a/iter_2.pth')
    resumed = training.runner(tmp_path / 'b', 3, resume=True, **options)
    resumed.train()
    assert resumed._load_from == str(tmp_path / 'b' / 'iter_2.pth')
    assert sorted(path.name for path in (tmp_path / 'a').glob('*')) == before
    assert [path.name for path in (tmp_path / 'b').glob('best_*')] == ['best_score_iter_3.pth']


def test_keep_one(training, tmp_path):
    training.runner(tmp_path, 4, save=dict(max_keep_ckpts=1)).train()
    assert [path.name for path in tmp_path.glob('*.pth')] == ['iter_4.pth']
    training.runner(tmp_path, 5, resume=True, save=dict(max_keep_ckpts=1)).train()
    assert [path.name for path in tmp_path.glob('*.pth')] == ['iter_5.pth']


@pytest.mark.parametrize('workers', [0, pytest.param(2, marks=pytest.mark.slow)])
def test_without_replay_what_was_trained_on_is_not_read(training, tmp_path, workers):
    options = dict(workers=workers, randomness=dict(seed=3))
    training.RandomPictures.read.clear()
    training.runner(tmp_path / 'whole', 6, **options).train()
    whole = training.RandomPictures.read[:]
    (tmp_path / 'parts').mkdir()
    shutil.copy(tmp_path / 'whole' / 'iter_4.pth', tmp_path / 'parts')
    training.RandomPictures.read.clear()
    guard = [dict(type='hrformer_mm.Safeguard', replay=False)]
    resumed = training.runner(tmp_path / 'parts', 6, resume=True, custom_hooks=guard, **options)
    resumed.train()
    assert resumed.iter == 6 and (tmp_path / 'parts' / 'iter_6.pth').exists()
    if workers == 0:
        # The loop's own loader is asked for one iterator, which reads nothing by itself without workers.
        assert len(whole) == 24 and training.RandomPictures.read == whole[16:]


def test_replay_must_be_told_plainly(training):
    from hrformer_mm.hooks import Safeguard

    with pytest.raises(TypeError, match="replay is 'no'"):
        Safeguard(replay='no')


def test_states_of_a_best_that_was_none_are_not_saved_later():
    from hrformer_mm.hooks.randomness import KEY, Randomness

    randomness, checkpoint = Randomness(), {}
    randomness.gather()
    randomness.enter_training()  # the validation was no better than one before
    torch.rand(1)
    randomness.save(checkpoint)
    assert torch.equal(checkpoint[KEY][0]['torch'], torch.get_rng_state())
