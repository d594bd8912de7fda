"""Few-shot arms: examples of the training split before every prompt, also where the arm is asked."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from generative_fixture import TASKS, examples, material, model_folder, train_arm, view

from steady.errors import SteadyError
from steady.inference.arm import load_arm_language
from steady.inference.language import encode
from steady.models.arm import read_manifest
from steady.models.tokenizer import prompt_ids
from steady.scoring.answers import Scoring, answer, open_arm


def few_shot(folder: Path, count: int, length: int, **scoring: object):
    arm = {
        "method": "none",
        "objective": "none",
        "wordings": "canonical",
        "scoring": {"solved_examples": count, **scoring},
    }
    given = view(folder, TASKS["llama"], arm=arm | {"settings": {"format.max_length": length}})
    return given, train_arm(folder.parent, given, material(examples()))


def test_solved_examples_stand_before_every_prompt_and_each_label_has_its_turn(tmp_path):
    params, manifest = few_shot(model_folder(tmp_path, "llama"), 2, 200)
    solved = manifest.solved
    assert solved == read_manifest(tmp_path / "arm").solved
    assert solved.count("Say the colour.") == 2 and solved.endswith("\n\n")
    answers = [block.split()[-1] for block in solved.strip().split("\n\nSay")]
    assert sorted(answers) == ["blue", "red"]
    language = load_arm_language(tmp_path / "arm", params.model, "cpu")
    expected = prompt_ids(language.tokenizer, "CAUSAL_LM", f"{solved}Say it.", False)
    assert encode(language, ["Say it."]) == [tuple(expected)]
    assert manifest.training["scoring"]["solved_tokens"] > 20


def test_an_arm_may_calibrate_and_average_what_it_generates_and_its_matrices_are_of_labels(tmp_path):
    params, manifest = few_shot(model_folder(tmp_path, "llama"), 0, 96, calibrated=True, averaged_wordings=2)
    prompts = list(material(examples()).validation)
    arm = open_arm(tmp_path / "arm", Scoring(params.model, 4, 4, params.runtime))
    found = answer(arm, prompts, paired=True)
    assert manifest.adjusted and {one.text for one in found.predictions} <= {"red", "blue"}
    # The mean over the prompts of the one wording is then the same for both labels, but for what is cut off by the average.
    chances = [one.label_logprobs for one in found.predictions]
    assert abs(sum(2.718281828 ** row[0] for row in chances) / len(chances) - 0.5) < 0.1
    assert all(group.matrix.shape == (1, 1) and group.lengths.tolist() == [1.0] for group in found.groups)


@pytest.mark.parametrize(
    ("task", "count", "message"),
    [("CAUSAL_LM", 6, "6 solved examples take .* format.max_length is 96"), ("SEQ_CLS", 1, "reads no examples")],
)
def test_examples_that_do_not_fit_are_refused(task, count, message, tmp_path):
    arm = {"method": "none", "objective": "none", "scoring": {"solved_examples": count}}
    with pytest.raises(SteadyError, match=message):
        train_arm(tmp_path, view(model_folder(tmp_path, "llama"), task, arm=arm), material(examples()))
