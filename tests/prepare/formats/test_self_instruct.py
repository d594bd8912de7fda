"""`self-instruct`: seed tasks and user tasks."""


def test_each_instance_is_an_example(read) -> None:
    instances = [{"input": "", "output": "Oats."}, {"input": "eggs", "output": "Omelette."}]
    rows = [{"id": "seed_task_0", "instruction": "What to eat?", "instances": instances, "is_classification": False}]
    drafts = read("self-instruct", rows).drafts
    assert [(draft.instruction, draft.input, draft.output) for draft in drafts] == [
        ("What to eat?", "", "Oats."),
        ("What to eat?", "eggs", "Omelette."),
    ]


def test_user_tasks_have_no_is_classification(read) -> None:
    row = {"id": "u0", "motivation_app": "G", "instruction": "a", "instances": [{"input": "b", "output": "c"}]}
    assert len(read("self-instruct", [row]).drafts) == 1


def test_a_task_without_instances_or_with_a_wrong_one_is_rejected(read) -> None:
    rows = [
        {"instruction": "a", "instances": []},
        {"instruction": "a"},
        {"instruction": "a", "instances": ["x", {"input": 3, "output": ""}]},
    ]
    assert read("self-instruct", rows).findings == [
        (1, "missing_field"),
        (2, "missing_field"),
        (3, "wrong_type"),
        (3, "empty_output"),
        (3, "wrong_type"),
    ]


def test_real_seed_and_user_tasks(read_file, real) -> None:
    seeds = read_file(real("self_instruct/data/seed_tasks.jsonl"), "self-instruct").drafts
    assert len(seeds) == 175 and sum(not draft.input for draft in seeds) == 50
    assert len(read_file(real("alpaca/seed_tasks.jsonl"), "self-instruct").drafts) == 175
    users = read_file(real("self_instruct/human_eval/user_oriented_instructions.jsonl"), "self-instruct").drafts
    assert len(users) == 252 and sum(not draft.input for draft in users) == 44
