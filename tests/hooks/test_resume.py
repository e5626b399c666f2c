"""An interrupted and resumed training ends with weights bitwise equal to those of an uninterrupted training."""

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
def test_resumed_training_equals_uninterrupted(training, tmp_path, model, by_epoch, workers, seed):
    """Compare 6 with 4 + 2 iterations, with dropout, drop path, random data and random numbers in validations."""
    if model and seed is None:
        pytest.skip('the seed is no matter of the model')
    length, stop, seed = *((3, 2) if model and by_epoch else (6, 4)), dict(seed=seed)
    name = 'epoch_{}.pth' if by_epoch else 'iter_{}.pth'
    options = dict(by_epoch=by_epoch, workers=workers, model=model, validate=True, randomness=seed)
    training.runner(tmp_path / 'whole', length, **options).train()
    (tmp_path / 'parts').mkdir()
    shutil.copy(
        tmp_path / 'whole' / name.format(stop), tmp_path / 'parts'
    )  # as if the training had been killed after it
    torch.rand(7)  # the random state of a new process differs
    training.runner(tmp_path / 'parts', length, resume=True, **options).train()
    whole, parts = (weights(tmp_path / folder / name.format(length)) for folder in ('whole', 'parts'))
    before = weights(tmp_path / 'whole' / name.format(stop))
    assert whole.keys() == parts.keys() and all(torch.equal(whole[key], parts[key]) for key in whole)
    assert not all(torch.equal(whole[key], before[key]) for key in whole)


def test_resumed_training_differs_without_the_hook(training, tmp_path):
    """The test above can fail."""
    options = dict(randomness=dict(seed=3), custom_hooks=[])
    training.runner(tmp_path / 'whole', 6, **options).train()
    middle = str(tmp_path / 'whole' / 'iter_4.pth')
    training.runner(tmp_path / 'parts', 6, resume=True, load_from=middle, **options).train()
    whole, parts = (weights(tmp_path / folder / 'iter_6.pth') for folder in ('whole', 'parts'))
    assert not all(torch.equal(whole[key], parts[key]) for key in whole)


def test_copied_folder_resumes_its_own_checkpoint(training, tmp_path):
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


def test_max_keep_ckpts(training, tmp_path):
    training.runner(tmp_path, 4, save=dict(max_keep_ckpts=1)).train()
    assert [path.name for path in tmp_path.glob('*.pth')] == ['iter_4.pth']
    training.runner(tmp_path, 5, resume=True, save=dict(max_keep_ckpts=1)).train()
    assert [path.name for path in tmp_path.glob('*.pth')] == ['iter_5.pth']


@pytest.mark.parametrize('workers', [0, pytest.param(2, marks=pytest.mark.slow)])
def test_without_replay_previous_data_is_not_read(training, tmp_path, workers):
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
        # The loop creates one iterator, which reads nothing in advance without workers.
        assert len(whole) == 24 and training.RandomPictures.read == whole[16:]


def test_replay_must_be_a_bool(training):
    from hrformer_mm.hooks import Safeguard

    with pytest.raises(TypeError, match="replay is 'no'"):
        Safeguard(replay='no')


def test_states_of_an_unsaved_best_checkpoint_are_discarded():
    from hrformer_mm.hooks.randomness import KEY, Randomness

    randomness, checkpoint = Randomness(), {}
    randomness.gather()
    randomness.enter_training()  # the validation did not improve the metric
    torch.rand(1)
    randomness.save(checkpoint)
    assert torch.equal(checkpoint[KEY][0]['torch'], torch.get_rng_state())
