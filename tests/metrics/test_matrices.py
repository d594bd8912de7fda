"""Matrices come back as they were written, and whatever happened to their file is noticed and named."""

import re
from dataclasses import replace

import numpy as np
import pytest

from steady.errors import SteadyError
from steady.metrics.matrices import ScoredGroup, read_matrices, write_matrices
from steady.metrics.posix import prompt_sensitivity
from steady.records import Prediction
from steady.scoring.groups import sample_pairs


def scored(name: str = "g1", size: int = 3, sampled=None) -> ScoredGroup:
    matrix = -np.random.default_rng(size).uniform(1, 9, (size, size))
    predictions = tuple(
        Prediction(prompt_id=f"{name}-{n}", text=f"é{n % 2}", token_ids=[n % 2, 7], logprob=float(matrix[n, n]))
        for n in range(size)
    )
    return ScoredGroup(name, matrix, np.full(size, 2.0), predictions, sampled)


def predictions_of(*groups: ScoredGroup) -> dict[str, Prediction]:
    return {item.prompt_id: item for group in groups for item in group.predictions}


def test_groups_come_back_with_the_predictions_that_lie_beside_the_file(tmp_path):
    groups = [scored("g1", 3), scored("g2", 4, sample_pairs(4, 5, 0, "g2")), replace(scored("g3"), scaled=np.eye(3))]
    write_matrices(tmp_path / "m.safetensors", groups, key="run")
    back = read_matrices(tmp_path / "m.safetensors", predictions_of(*groups), key="run")
    for one, other in zip(back, groups, strict=True):
        assert (one.id, one.predictions) == (other.id, other.predictions)
        assert (one.matrix == other.matrix).all()
        assert (one.lengths == other.lengths).all()
        assert (one.sampled is None) == (other.sampled is None)
    assert (back[1].sampled == groups[1].sampled).all()
    assert [group.scaled is None for group in back] == [True, True, False]
    assert (back[2].scaled == np.eye(3)).all()


def test_a_part_holds_its_predictions_itself(tmp_path):
    write_matrices(tmp_path / "m.safetensors", [scored()], with_predictions=True)
    assert read_matrices(tmp_path / "m.safetensors")[0].predictions == scored().predictions


def test_the_same_groups_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_matrices(tmp_path / name, [scored()], key="k")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_measures_take_the_matrices_as_they_are_read(tmp_path):
    group = scored()
    write_matrices(tmp_path / "m.safetensors", [group])
    answers = {answer.prompt_id: answer for answer in group.predictions}
    scores = read_matrices(tmp_path / "m.safetensors", answers)[0]
    assert [item.prompt_id for item in scores.predictions] == ["g1-0", "g1-1", "g1-2"]
    expected = prompt_sensitivity(group.matrix, group.lengths, [(0, 7), (1, 7), (0, 7)])
    assert prompt_sensitivity(scores.matrix, scores.lengths, scores.responses) == expected


def test_every_flipped_byte_is_noticed(tmp_path):
    path = tmp_path / "m.safetensors"
    write_matrices(path, [scored(size=2)], key="k", with_predictions=True)
    whole = path.read_bytes()
    silent = []
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            back = read_matrices(path, key="k")
        except SteadyError as error:
            assert str(path) in str(error)
            continue
        if [(group.matrix.tobytes(), group.responses) for group in back] != [
            (group.matrix.tobytes(), group.responses) for group in [scored(size=2)]
        ]:
            silent.append(place)
    assert silent == []


@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_a_file_that_is_cut_short_is_named(tmp_path, kept):
    path = tmp_path / "m.safetensors"
    write_matrices(path, [scored()], with_predictions=True)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(SteadyError, match=re.escape(str(path))):
        read_matrices(path)


def test_predictions_of_another_run_are_refused(tmp_path):
    write_matrices(tmp_path / "m.safetensors", [scored()])
    other = {key: Prediction(prompt_id=key, text="other", token_ids=[1, 7]) for key in predictions_of(scored())}
    with pytest.raises(SteadyError, match="group g1"):
        read_matrices(tmp_path / "m.safetensors", other)
    with pytest.raises(SteadyError, match=r"m\.safetensors"):
        read_matrices(tmp_path / "m.safetensors", {})


def test_a_file_of_another_run_is_refused(tmp_path):
    write_matrices(tmp_path / "m.safetensors", [scored()], key="one")
    with pytest.raises(SteadyError, match="another run"):
        read_matrices(tmp_path / "m.safetensors", predictions_of(scored()), key="two")


def test_a_missing_file_says_what_to_run(tmp_path):
    with pytest.raises(SteadyError, match="no such file"):
        read_matrices(tmp_path / "m.safetensors")
