"""Measuring from Python: functions, answers, models, what comes out, and what the measuring part never imports."""

import subprocess
import sys

import numpy as np
import pytest
from small_models import byte_tokenizer, random_model

from steady import measure
from steady.errors import SteadyError
from steady.measure.api import GivenGroups, compare

GROUPS = {
    "egg": ["How long do I boil an egg?", "boiling an egg: minutes?"],
    "capital": ["Capital of Peru?", "Peru's capital?"],
}
OUTPUTS = {"capital": ["Lima", "lima, Peru"]}


def answer(prompts):
    return [{"Capital of Peru?": "Lima", "Peru's capital?": "Lima, Peru"}.get(prompt, prompt) for prompt in prompts]


def test_a_function_is_measured_by_its_answers_alone(tmp_path):
    report = measure(answer, GROUPS, outputs=OUTPUTS)
    assert {name: report.measures[name].value for name in ("agreement", "accuracy")} == {
        "agreement": 0.5,
        "accuracy": 1,
    }
    assert "posix" not in report.measures
    frame = report.to_frame()
    assert list(frame["answer"])[2:] == ["Lima", "Lima, Peru"]
    assert list(frame["correct"])[2:] == [True, True]
    assert "How long do I boil an egg?" in report.page(tmp_path / "page.html").read_text()
    assert "agreement" in str(report) and "no POSIX" not in str(report)


def test_answers_with_matrices_have_posix_by_hand():
    given = GivenGroups([["a", "b"]], [[[-1, -5], [-3, -2]]], [[2, 2]])
    report = measure(given, [["p", "q"]])
    assert report.measures["posix"].value == pytest.approx((2 / 2 + 3 / 2) / 2)
    arrays = GivenGroups(np.asarray([["a", "b"]]), np.asarray(given.matrices), np.asarray([[2, 2]]))
    assert measure(arrays, [["p", "q"]]).measures["posix"] == report.measures["posix"]
    assert measure([["a", "a "]], [["p", "q"]], match="exact").measures["agreement"].value == 1


def test_a_loaded_model_and_its_tokenizer_are_measured_like_one_by_name(llama_folder):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = (
        kind.from_pretrained(llama_folder, trust_remote_code=False) for kind in (AutoModelForCausalLM, AutoTokenizer)
    )
    limits = {"max_new_tokens": 4, "batch_tokens": 500}
    loaded = measure((model, tokenizer), GROUPS, **limits)
    named = measure(str(llama_folder), GROUPS, **limits)
    assert loaded.measures["posix"].value == pytest.approx(named.measures["posix"].value, abs=1e-3)
    assert loaded.facts["max_new_tokens"] == 4


def test_nothing_is_printed_while_a_model_is_measured(llama_folder, capfd):
    from transformers.utils import logging as transformers_logging

    transformers_logging.enable_progress_bar()
    measure(str(llama_folder), GROUPS, max_new_tokens=2, batch_tokens=500)
    assert capfd.readouterr() == ("", "")


def test_reports_on_the_same_prompts_are_compared_in_pairs():
    names = [str(n) for n in range(8)]
    groups = {name: [f"{name} one", f"{name} two"] for name in names}
    steady = measure(
        lambda prompts: [prompt.split()[0] for prompt in prompts],
        groups,
        name="steady",
        outputs=dict(zip(names, names, strict=False)),
    )
    shaky = measure(
        lambda prompts: prompts,
        dict(reversed(groups.items())),
        name="shaky",
        outputs=dict(zip(names, names, strict=False)),
    )
    found = compare(shaky, steady)
    by_measure = {item.measure: item for item in found.comparison.differences}
    assert found.comparison.groups == 8
    assert by_measure["agreement"].difference.value == 1 and by_measure["accuracy"].difference.value == 1
    # 2 of the 2 ** 8 sign patterns are as extreme, and two headline measures are tested together
    assert by_measure["agreement"].p == pytest.approx(2 / 2**8)
    assert by_measure["agreement"].p_holm == pytest.approx(2 * 2 / 2**8)
    with pytest.raises(SteadyError, match="no group has the same prompts"):
        compare(steady, measure(answer, GROUPS))


def test_where_wordings_are_shared_the_worst_of_them_is_measured_and_compared():
    rows = [{"group_id": n, "wording": w, "prompt": f"{n} {w}", "output": str(n)} for n in range(9) for w in ("a", "b")]
    good = measure(lambda prompts: [prompt.split()[0] for prompt in prompts], rows, name="good")
    bad = measure(lambda prompts: [prompt.removesuffix(" a") for prompt in prompts], rows, name="bad")
    assert bad.measures["worst_wording_accuracy"].value == 0 and bad.measures["spread"].value == 1
    found = {item.measure: item for item in compare(bad, good).comparison.differences}
    assert found["worst_wording_accuracy"].difference.value == 1
    assert found["worst_wording_accuracy"].p_holm < 0.05 and found["spread"].p_holm is None


@pytest.mark.parametrize(
    ("subject", "groups", "settings", "message"),
    [
        (lambda prompts: ["one"], GROUPS, {}, "got 4 prompts and returned 1 answers"),
        (lambda prompts: [1] * 4, GROUPS, {}, "an answer is 1; answers are texts"),
        ([["a"]], GROUPS, {}, r"groups of \[2, 2\] prompts and answers of \[1\]"),
        (GivenGroups([["a", "b"]], [np.zeros((3, 3))]), [["p", "q"]], {}, r"a matrix \(3, 3\)"),
        (answer, {"a": ["x", 3]}, {}, "groups:2: wrong_type: `messages` is 3"),
        (answer, {"a": ["x"]}, {}, "no group has two prompts"),
        (answer, GROUPS, {"match": "fuzzy"}, "--match fuzzy"),
        ("no/such folder", GROUPS, {}, "cannot load the model"),
        (lambda prompts: None, GROUPS, {}, "returned None; it must return a list"),
        (lambda prompts: "four", GROUPS, {}, "returned 'four'; it must return a list"),
        ([["a", None], ["b", "c"]], GROUPS, {}, "an answer is None; answers are texts"),
        (3, GROUPS, {}, r"int 3 cannot be measured. Give \(model, tokenizer\)"),
        (
            GivenGroups([["a", "b"]] * 2, [np.zeros((2, 2))]),
            GROUPS,
            {},
            "1 matrices and 2 lists of lengths for 2 groups",
        ),
        (answer, {"a": []}, {}, r"group a: expected a list of prompts, got \[\]"),
        (answer, GROUPS, {"mach": "exact"}, "mach: no setting of measure. There are: name, match"),
        (answer, GROUPS, {"system": "Be brief."}, "system: a setting of models, which function is not"),
        (answer, GROUPS, {"outputs": {"capitol": "Lima"}}, "there is no group 'capitol'. There are: egg, capital"),
        (answer, GROUPS, {"outputs": ["Lima"]}, "outputs: 1 of 2 groups"),
        (answer, [{"group_id": "a", "prompt": "x"}] * 2, {"outputs": ["Lima"]}, "have an `output` of their own"),
        (answer, GROUPS, {"draws": 3}, "at least 100 draws"),
    ],
)
def test_what_cannot_be_measured_is_one_message(subject, groups, settings, message):
    with pytest.raises(SteadyError, match=message):
        measure(subject, groups, **settings)


def test_measuring_imports_neither_the_trainer_nor_the_pipeline_and_no_model_library_for_functions():
    script = (
        "import sys\nfrom steady import measure\n"
        "import steady.measure.running, steady.commands.measure\n"
        "measure(lambda prompts: prompts, [['a', 'b']])\n"
        "print(sorted({'trl', 'dvc', 'dvclive', 'torch', 'transformers', 'peft', 'datasets'} & set(sys.modules)))\n"
        "import steady.measure.local, steady.inference.named, steady.scoring.answering, steady.inference.likelihood\n"
        "print(sorted({'trl', 'dvc', 'dvclive', 'datasets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "[]"]


def test_a_stop_text_ends_a_response_and_is_no_part_of_it():
    from steady.inference.language import decode, encode, stopped
    from steady.inference.named import Named, open_language

    model, stop = random_model("mistral"), "q"
    whole, cut = (
        list(measure((model, byte_tokenizer()), GROUPS, max_new_tokens=20, stop=given).to_frame()["answer"])
        for given in ((), (stop,))
    )
    assert any(stop in text for text in whole)
    assert cut == [text.split(stop)[0].strip() for text in whole]
    language = open_language(model, byte_tokenizer(), Named("x", stop=("b",))).language
    (tokens,) = encode(language, ["abcabc"])
    assert stopped(language, tokens) == tokens[:2]
    assert decode(language, tokens) == "a"
