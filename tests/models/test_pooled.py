"""Mean pooling and the linear head of a pooled classifier."""

from pathlib import Path

import numpy as np
import pytest
import torch

from steady.errors import SteadyError
from steady.models.pooled import HEAD, linear_head, load_head, loss_of, pool, save_head


def test_pooling_is_the_normalised_mean_of_the_tokens_that_are_not_padding() -> None:
    hidden = torch.tensor([[[3.0, 0.0], [0.0, 4.0], [99.0, -99.0]]])
    mask = torch.tensor([[1, 1, 0]])
    # mean of (3, 0) and (0, 4) is (1.5, 2); its length is 2.5
    assert torch.allclose(pool(hidden, mask), torch.tensor([[0.6, 0.8]]))


def test_a_head_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    weight = np.arange(6, dtype=np.float32).reshape(2, 3)
    save_head(linear_head(weight, np.array([1.0, -1.0], dtype=np.float32)), tmp_path)
    loaded = load_head(tmp_path, 2, 3)
    assert loaded.weight.detach().numpy().tolist() == weight.tolist()
    assert loaded.bias.tolist() == [1.0, -1.0]


def test_a_missing_damaged_alien_or_not_finite_head_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SteadyError, match="no such file"):
        load_head(tmp_path, 2, 3)
    save_head(linear_head(np.ones((2, 3), np.float32), np.zeros(2, np.float32)), tmp_path)
    with pytest.raises(SteadyError, match=r"\(5, 3\).* got .*\(2, 3\)"):
        load_head(tmp_path, 5, 3)
    (tmp_path / HEAD).write_bytes((tmp_path / HEAD).read_bytes()[:40])
    with pytest.raises(SteadyError, match="damaged"):
        load_head(tmp_path, 2, 3)
    save_head(linear_head(np.full((2, 3), np.nan, np.float32), np.zeros(2, np.float32)), tmp_path)
    with pytest.raises(SteadyError, match="finite"):
        load_head(tmp_path, 2, 3)


def test_targets_of_zeros_and_ones_get_the_binary_cross_entropy() -> None:
    """Logits 0 and log 3, targets 1 and 0: the mean of -log .5 and -log .25."""
    logits = torch.tensor([[0.0, float(np.log(3.0))]])
    assert loss_of(logits, torch.tensor([[1.0, 0.0]])).item() == pytest.approx(np.log(8) / 2)
    assert loss_of(logits, torch.tensor([1])).item() == pytest.approx(-np.log(0.75))
