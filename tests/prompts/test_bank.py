from pathlib import Path

import msgspec
import pytest

from steady.errors import SteadyError
from steady.prompts.bank import Bank, label_bank, read_bank, task_bank, with_templates


def faults_of(tmp_path: Path, text: str) -> str:
    path = tmp_path / "bank.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SteadyError) as caught:
        read_bank(path)
    return str(caught.value)


def test_a_bank_keeps_its_templates_in_order_with_their_sides(bank: Bank) -> None:
    assert list(bank.templates) == ["plain", "ask", "swap", "bare", "quiz", "vet", "form"]
    assert [name for name, template in bank.templates.items() if not template.trained] == ["quiz", "vet", "form"]
    assert bank.templates["swap"].labels == ("bird", "cat", "dog")
    assert bank.templates["plain"].template == "Say which pet this is: {labels}.\n\nStory: {input}\nPet:"
    assert (bank.labels, bank.canonical, bank.input_name) == (("cat", "dog", "bird"), "plain", "Story")


def test_every_fault_is_reported_at_once_with_its_line(tmp_path: Path) -> None:
    message = faults_of(
        tmp_path,
        """\
task: pets
labels: [cat, dog, cat]
canonical: nothing
instruction: "Which pet?"
input_name: Story
colour: red
wordings:
  - {id: a, kind: terse, split: trained, template: "no slot"}
  - {id: a, kind: terse, split: sometimes, template: "{input} {input} {weather}"}
  - {id: B, kind: terse, split: trained, labels: [cat, cow], template: "{input}"}
""",
    )
    place = f"{tmp_path / 'bank.yaml'}:"
    expected = [
        "1: the key `answer_name` is missing",
        "2: label 'cat' is named 2 times",
        "3: canonical 'nothing' is the id of no wording. There are: a, a, B.",
        "4: `instruction` needs the slot {labels} once",
        "6: unknown key `colour`",
        "8: wording 'a': the slot {input} is needed once, found 0 times.",
        "9: wording 'a': split is 'sometimes', allowed: trained, held_out.",
        "9: wording 'a': the same id as in line 8.",
        "9: wording 'a': the slot {input} is needed once, found 2 times.",
        "9: wording 'a': unknown slot {weather}. Allowed: {input}, {labels}.",
        "10: id 'B': use lower-case letters",
        "10: wording 'B': its labels are not the bank's in another order",
        "10: wording 'B': it orders the labels but has no slot {labels}.",
    ]
    assert [fault for fault in expected if place + fault not in message] == []
    assert len(message.splitlines()) == len(expected)


def test_the_same_template_twice_is_a_fault_unless_the_labels_are_in_another_order(tmp_path: Path) -> None:
    head = (
        "task: t\nlabels: [a, b]\ncanonical: x\ninstruction: 'As {labels}.'\ninput_name: I\nanswer_name: A\nwordings:\n"
    )
    first = "  - {id: x, kind: k, split: trained, template: '{input} {labels}'}\n"
    again = "  - {id: y, kind: k, split: trained, template: '{input} {labels}'}\n"
    assert "wording 'y': the same template as in line 8" in faults_of(tmp_path, head + first + again)
    other = again.replace("template", "labels: [b, a], template")
    (tmp_path / "good.yaml").write_text(head + first + other)
    assert list(read_bank(tmp_path / "good.yaml").templates) == ["x", "y"]


def test_a_held_out_canonical_wording_is_refused(tmp_path: Path) -> None:
    text = (
        "task: t\nlabels: [a, b]\ncanonical: x\ninstruction: 'As {labels}.'\ninput_name: I\nanswer_name: A\n"
        "wordings:\n  - {id: x, kind: k, split: held_out, template: '{input}'}\n"
    )
    assert "3: canonical 'x' has to be a trained wording" in faults_of(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("labels: [a\n", "not YAML"),
        ("- a list\n", "expected a mapping"),
        ("task: t\nwordings: none\n", "`wordings` is a list of mappings"),
        ("task: t\nlabels: [1, 2]\n", "label 1 is no text; put it in quotes"),
        ("task: ''\n", "1: `task` is a text, got ''"),
    ],
)
def test_what_is_no_bank_is_named(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in faults_of(tmp_path, text)


def test_a_missing_bank_says_which_key_names_it(tmp_path: Path) -> None:
    with pytest.raises(SteadyError, match=r"nowhere\.yaml: no such bank.*format\.wordings"):
        read_bank(tmp_path / "nowhere.yaml")


def test_unquoted_yes_and_no_are_labels(tmp_path: Path) -> None:
    path = tmp_path / "bank.yaml"
    path.write_text(
        "task: t\nlabels: [yes, no]\ncanonical: x\ninstruction: 'As {labels}.'\ninput_name: I\nanswer_name: A\n"
        "wordings:\n  - {id: x, kind: k, split: trained, template: '{input}'}\n"
    )
    assert read_bank(path).labels == ("yes", "no")


def test_only_a_bank_of_several_labels_says_so_in_its_files(bank_file: Path) -> None:
    one, several = (task_bank(bank_file, None, multi_label=flag) for flag in (False, True))
    assert one == read_bank(bank_file)
    assert b"several" not in msgspec.json.encode(one) and b'"several":true' in msgspec.json.encode(several)
    assert task_bank(None, None, multi_label=True) is None


def test_a_label_bank_has_labels_and_no_templates() -> None:
    assert label_bank(("a", "b")) == Bank(labels=("a", "b"))
    assert label_bank(None) is None
    assert label_bank(()) is None


def test_templates_can_be_left_out(bank: Bank) -> None:
    smaller = with_templates(bank, {"ask", "plain"})
    assert list(smaller.templates) == ["plain", "ask"]
    assert smaller.labels == bank.labels
