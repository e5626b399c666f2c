"""Backends that the environment chooses."""

import pytest

CODE = """
import sys
try:
    from hrformer_mm.ops import set_attention_backend, set_block_backend
    print(set_attention_backend('auto'), set_block_backend('auto'))
except ValueError as error:
    print(error)
"""


@pytest.mark.parametrize('variables, said', [
    (dict(), 'auto auto'),
    (dict(ATTENTION='plain', BLOCK='torch'), 'plain torch'),
    (dict(ATTENTION='flash'), "environment variable HRFORMER_MM_ATTENTION_BACKEND is 'flash', but must be one of auto, "
     'batched, fused, plain, triton'),
    (dict(BLOCK=''), "environment variable HRFORMER_MM_BLOCK_BACKEND is '', but must be one of auto, torch, triton"),
])
def test_backends(monkeypatch, run_python, variables, said):
    for name, value in variables.items():
        monkeypatch.setenv(f'HRFORMER_MM_{name}_BACKEND', value)
    assert run_python(CODE).strip() == said
