"""The scalar of the package prompt-sensitivity-index 0.0.1, to compare our POSIX with."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def posix_v001(matrices: Sequence[ArrayLike], max_new_tokens: int) -> float:
    """What the package prints.

    Its indices are transposed (two responses under one prompt) and it divides by the length limit: per group
    sum abs(M[j][i] - M[j][j]) / max_new_tokens / (N (N - 1)), then the mean over groups.
    """
    values = []
    for matrix in matrices:
        scores = np.asarray(matrix, dtype=np.float64)
        pairs = len(scores) * (len(scores) - 1)
        values.append(np.abs(scores - np.diagonal(scores)[:, None]).sum() / max_new_tokens / pairs)
    return float(np.mean(values))
