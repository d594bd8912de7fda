"""The reader of a run."""

import numpy as np

from steady.labels import LabelTask
from steady.metrics.answers import read_answers
from steady.metrics.run import label_matrices
from steady.scoring.classifying import label_groups


def test_the_matrices_of_a_classifier_follow_from_its_label_probabilities(prompt, wordings, labels, prediction):
    prompts = [prompt(f"g{n}", wording.id, labels[n % 3]) for wording in wordings for n in range(4)]
    answers = [prediction(one, labels[place % 3]) for place, one in enumerate(prompts)]
    found = label_matrices(read_answers(prompts, answers, labels), answers)
    expected = label_groups(prompts, answers, LabelTask(tuple(labels)))
    assert [group.id for group in found] == [group.id for group in expected] == ["g0", "g1", "g2", "g3"]
    for ours, theirs in zip(found, expected, strict=True):
        assert np.array_equal(ours.matrix, theirs.matrix) and ours.predictions == theirs.predictions


def test_without_label_probabilities_there_are_no_such_matrices(prompt, labels, prediction):
    one = prompt("g0", "canonical", labels[0])
    assert label_matrices(read_answers([one], [prediction(one, labels[0])], []), []) == []
