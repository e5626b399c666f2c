"""Backends that the environment chooses."""

import pytest

from hrformer_mm.ops.environment import backend_of

NAMES = ('auto', 'torch', 'triton')


def test_backends(monkeypatch):
    monkeypatch.delenv('HRFORMER_MM_TEST', raising=False)
    assert backend_of('HRFORMER_MM_TEST', NAMES) == 'auto'
    monkeypatch.setenv('HRFORMER_MM_TEST', 'torch')
    assert backend_of('HRFORMER_MM_TEST', NAMES) == 'torch'
    for name in ('flash', ''):
        monkeypatch.setenv('HRFORMER_MM_TEST', name)
        with pytest.raises(ValueError, match=f"variable HRFORMER_MM_TEST is '{name}', but must be one of auto, torch, tri"):
            backend_of('HRFORMER_MM_TEST', NAMES)


def test_names_of_the_variables(monkeypatch, run_python):
    monkeypatch.setenv('HRFORMER_MM_ATTENTION_BACKEND', 'plain')
    monkeypatch.setenv('HRFORMER_MM_BLOCK_BACKEND', 'torch')
    said = run_python("from hrformer_mm.ops import set_attention_backend, set_block_backend\n"
                      "print(set_attention_backend('auto'), set_block_backend('auto'))")
    assert said.split() == ['plain', 'torch']
