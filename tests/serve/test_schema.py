"""schemathesis over the OpenAPI schema: whatever it makes up, no answer is of 5xx, and every answer is as described."""

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
CALM = settings(max_examples=60, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


def test_every_answer_is_as_the_schema_says(served):
    api = schemathesis.openapi.from_url(f"{served.url}/openapi.json")
    seen: dict[str, set[int]] = {}
    for operation in (found.ok() for found in api.get_all_operations()):

        @CALM
        @given(case=operation.as_strategy())
        def ask(case) -> None:
            answer = case.call()
            case.validate_response(answer, checks=CHECKS)
            assert answer.status_code < 400 or len(answer.content) <= 2048
            seen.setdefault(case.path, set()).add(answer.status_code)

        ask()
    assert set(seen) == {"/predict", "/health", "/choices", "/metrics"}
    assert 200 in seen["/predict"]


def test_bodies_that_break_the_schema_are_refused_and_described(served):
    api = schemathesis.openapi.from_url(f"{served.url}/openapi.json")
    operation = api["/predict"]["POST"]
    statuses: set[int] = set()

    @CALM
    @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE))
    def ask(case) -> None:
        answer = case.call()
        case.validate_response(answer, checks=CHECKS)
        assert answer.status_code < 400 or len(answer.content) <= 2048
        statuses.add(answer.status_code)

    ask()
    assert 422 in statuses and max(statuses) < 500
