"""The weights from which a training starts are downloaded before data is read, and logged."""

import logging

import pytest
import torch

from hrformer_mm import released
from hrformer_mm.models import HRFormer
from hrformer_mm.weights import write_tensors

RANDOM = 'The backbone starts from random weights: its init_cfg names no checkpoint.'


@pytest.fixture
def start(training, tmp_path, caplog):
    """Trains the small model with a backbone of this `init_cfg`: returns the first loss and what the log says of it."""

    def run(init_cfg, iters=1, **kwargs):
        training.RandomPictures.read.clear()
        runner = training.runner(tmp_path / 'work', iters, model=dict(deep=True), randomness=dict(seed=0), **kwargs)
        runner.model.backbone = HRFormer(training.ARCH, drop_path_rate=0.3, window_sizes=7, init_cfg=init_cfg)
        runner.logger.addHandler(caplog.handler)
        caplog.clear()
        with caplog.at_level(logging.INFO):
            runner.train()
        lines = [record.message for record in caplog.records if record.message.startswith('The backbone starts')]
        return runner.message_hub.get_scalar('train/loss').data[0][0], lines

    return run


def pretrained(source):
    return dict(type='Pretrained', checkpoint=str(source))


@pytest.fixture
def weights(training, tmp_path):
    torch.manual_seed(5)
    write_tensors(HRFormer(training.ARCH, window_sizes=7).state_dict(), tmp_path / 'a.pth')
    return tmp_path / 'a.pth'


def test_pretrained_and_random_weights(start, weights):
    """Pretrained weights change the first loss; `init_cfg=None` is identical to training from scratch."""
    scratch, lines = start(None)
    assert lines == [RANDOM]
    loss, lines = start(pretrained(weights))
    assert lines == [f'The backbone starts from {weights}.'] and loss != scratch
    assert start([]) == (scratch, [RANDOM])


def test_missing_weights(start, training, tmp_path, monkeypatch):
    """The error of one line names the file, its path and the option without it, before any image is read."""
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    (tmp_path / 'a.yml').write_text(
        '[{name: a, publisher: p, licence: l, configs: [], sha256: 0123abcd, '
        'address: "http://127.0.0.1:9/a-0123abcd_20220226.pth"}]'
    )
    monkeypatch.setattr(released, 'TABLE', tmp_path / 'a.yml')
    with pytest.raises(
        OSError,
        match='cannot start from hrformer_mm://a: http://127.0.0.1:9/a-0123abcd_20220226.pth '
        f'was not fetched .*save it as {tmp_path}/hub/checkpoints/a-0123abcd_20220226.pth'
        '.*model.backbone.init_cfg=None',
    ) as error:
        start(pretrained('hrformer_mm://a'))
    assert '\n' not in str(error.value) and training.RandomPictures.read == []
    with pytest.raises(FileNotFoundError, match='there is no checkpoint at none.pth.*model.backbone.init_cfg=None'):
        start(pretrained('none.pth'))
    assert training.RandomPictures.read == []


def test_checkpoint_replaces_pretrained_weights(start, training, tmp_path):
    """Neither `--resume` nor `load_from` needs pretrained weights, unless `may_differ` includes the backbone."""
    start(None)
    first = tmp_path / 'work' / 'iter_1.pth'
    for options in (dict(resume=True, iters=2), dict(load_from=str(first))):
        _, lines = start(pretrained('none.pth'), **options)
        assert lines == [f'The backbone starts from {first}, as the whole model does.']
    with pytest.raises(FileNotFoundError, match='none.pth'):
        start(
            pretrained('none.pth'),
            load_from=str(tmp_path / 'work/iter_1.pth'),
            custom_hooks=[dict(type='hrformer_mm.Safeguard', may_differ=['backbone.stage4'])],
        )


def test_tests_download_nothing(training, tmp_path):
    runner = training.runner(tmp_path / 'work', 1, model=dict(deep=True))
    runner.model.backbone = HRFormer(training.ARCH, window_sizes=7, init_cfg=pretrained('none.pth'))
    runner.test()
