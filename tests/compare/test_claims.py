"""`claims.yaml`: what it may say, and how its faults are told."""

from pathlib import Path

import pytest

from steady.compare.claims import ENDPOINTS, read_claims
from steady.errors import SteadyError

ROOT = Path(__file__).resolve().parents[2]
CLAIM = """\
claims:
  - id: better
    statement: It is better.
    endpoint: accuracy
    arm: tuned
    against: baseline
    direction: higher
    test: mcnemar
"""


def fault_of(tmp_path: Path, text: str) -> str:
    path = tmp_path / "claims.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SteadyError) as caught:
        read_claims(path)
    return str(caught.value).replace(str(tmp_path) + "/", "")


def test_the_committed_claims_are_the_four_that_were_set_out():
    found = [(claim.endpoint, claim.arm, claim.against, claim.direction) for claim in read_claims(ROOT / "claims.yaml")]
    assert found == [
        ("accuracy", "tuned", "baseline", "higher"),
        ("l1_paraphrase_accuracy", "tuned", "control", "higher"),
        ("held_out_worst_wording_accuracy", "tuned", "control", "higher"),
        ("l2_agreement", "tuned", "baseline", "higher"),
    ]


def test_every_endpoint_can_be_claimed(tmp_path):
    for name, endpoint in ENDPOINTS.items():
        path = tmp_path / "claims.yaml"
        path.write_text(CLAIM.replace("accuracy", name).replace("mcnemar", endpoint.test))
        assert read_claims(path)[0].endpoint == name


def test_an_unknown_key_is_refused_with_its_line_and_the_keys_there_are(tmp_path):
    message = fault_of(tmp_path, CLAIM.replace("direction:", "directoin:"))
    assert "claims.yaml:7: `claims.0.directoin`: unknown key. Allowed: id, statement, endpoint" in message
    assert "`claims.0.direction`: Field required" in message
    assert "claims.yaml:9: `more`: unknown key. Allowed: claims." in fault_of(tmp_path, CLAIM + "more: 1\n")


def test_all_faults_come_at_once(tmp_path):
    message = fault_of(tmp_path, CLAIM.replace("higher", "up").replace("endpoint: accuracy", "endpoint: f1"))
    assert "claims.yaml:4: `claims.0.endpoint`" in message
    assert "claims.yaml:7: `claims.0.direction`: Input should be 'higher' or 'lower', got 'up'." in message


def test_an_unknown_endpoint_is_refused_with_those_near_it(tmp_path):
    message = fault_of(tmp_path, CLAIM.replace("endpoint: accuracy", "endpoint: l1_paraphrases_accuracy"))
    assert "Near: l1_paraphrase_accuracy" in message


def test_a_test_that_does_not_fit_its_endpoint_is_refused(tmp_path):
    message = fault_of(tmp_path, CLAIM.replace("mcnemar", "sign_flip"))
    assert "`accuracy` is tested by `mcnemar`, got test 'sign_flip'" in message


def test_an_arm_is_not_put_against_itself_and_an_id_is_used_once(tmp_path):
    assert "are both 'tuned'" in fault_of(tmp_path, CLAIM.replace("baseline", "tuned"))
    assert "the id 'better' is used twice" in fault_of(tmp_path, CLAIM + CLAIM.removeprefix("claims:\n"))


def test_a_missing_an_empty_and_a_broken_file_are_named(tmp_path):
    with pytest.raises(SteadyError, match=r"claims\.yaml: no such file"):
        read_claims(tmp_path / "claims.yaml")
    assert "claims.yaml:1: " in fault_of(tmp_path, "")
    assert "not YAML" in fault_of(tmp_path, "claims: [")
    assert "`claims`: List should have at least 1 item" in fault_of(tmp_path, "claims: []\n")
