from decimal import Decimal
from pathlib import Path

import pytest

from portal.kube import errors
from portal.kube.errors import Cause, QuotaExceeded, Shortage, error_from_response, parse_quota_message

FIXTURES = Path(__file__).parent / "fixtures"


def recorded(name: str, code: int) -> errors.KubeError:
    return error_from_response(code, (FIXTURES / f"status-{name}.json").read_bytes(), {})


def test_a_refusal_by_quota_is_told_in_numbers() -> None:
    refused = recorded("quota", 403)
    assert isinstance(refused, errors.Forbidden)
    assert refused.quota == QuotaExceeded(
        "berth",
        (
            Shortage("requests.cpu", Decimal("1.5"), Decimal(1), Decimal(2)),
            Shortage("requests.memory", Decimal(900 * 1024**2), Decimal(256 * 1024**2), Decimal(1024**3)),
        ),
    )
    assert not refused.retryable


def test_a_refusal_by_pod_security_is_known_as_one() -> None:
    refused = recorded("pod-security", 403)
    assert isinstance(refused, errors.Forbidden)
    assert "violates PodSecurity" in refused.message
    assert refused.quota is None


def test_an_invalid_object_names_its_fields() -> None:
    refused = recorded("invalid", 422)
    assert isinstance(refused, errors.Invalid)
    assert refused.reason == "Invalid"
    assert "spec.restartPolicy" in {cause.field for cause in refused.causes}


def test_a_taken_name_and_a_changed_object_are_different_conflicts() -> None:
    assert type(recorded("exists", 409)) is errors.AlreadyExists
    changed = error_from_response(409, b'{"kind":"Status","reason":"Conflict","message":"modified"}', {})
    assert type(changed) is errors.Conflict


def test_a_namespace_that_is_being_deleted_is_known_as_one() -> None:
    body = (
        b'{"kind":"Status","reason":"Forbidden","message":"being terminated","code":403,'
        b'"details":{"causes":[{"reason":"NamespaceTerminating","field":"metadata.namespace","message":"x"}]}}'
    )
    refused = error_from_response(403, body, {})
    assert isinstance(refused, errors.Forbidden)
    assert refused.namespace_terminating
    assert refused.causes == (Cause("NamespaceTerminating", "x", "metadata.namespace"),)


@pytest.mark.parametrize(
    ("code", "kind", "retryable"),
    [
        (400, errors.BadRequest, False),
        (401, errors.Unauthorized, True),
        (404, errors.NotFound, False),
        (405, errors.BadRequest, False),
        (410, errors.Gone, True),
        (429, errors.TooManyRequests, True),
        (500, errors.ServerError, True),
        (503, errors.ServerError, True),
        (504, errors.ServerError, True),
    ],
)
def test_codes_without_a_status_have_their_own_errors(code: int, kind: type[errors.KubeError], retryable: bool) -> None:
    error = error_from_response(code, b"plain words", {})
    assert type(error) is kind
    assert error.retryable is retryable
    assert error.message == "plain words"


def test_an_empty_answer_still_has_a_message() -> None:
    assert error_from_response(502, b"", {}).message == "HTTP 502"


def test_a_long_answer_is_cut() -> None:
    assert len(error_from_response(502, b"x" * 100_000, {}).message) == 2000


@pytest.mark.parametrize(("value", "seconds"), [("3", 3.0), ("0.5", 0.5), ("-2", 0.0), ("soon", None), ("", None)])
def test_the_wait_that_a_server_asks_for_is_kept(value: str, seconds: float | None) -> None:
    assert error_from_response(429, b"", {"Retry-After": value}).retry_after_s == seconds


def test_a_date_as_the_wait_is_kept_too() -> None:
    past = error_from_response(503, b"", {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})
    assert past.retry_after_s == 0.0


def test_a_wait_in_the_details_is_kept() -> None:
    body = b'{"kind":"Status","reason":"TooManyRequests","message":"x","details":{"retryAfterSeconds":7}}'
    assert error_from_response(429, body, {}).retry_after_s == 7


@pytest.mark.parametrize(
    "message",
    [
        "",
        "pods is forbidden",
        "exceeded quota: a, requested: cpu=1, used: cpu=x, limited: cpu=2",
        "exceeded quota: a, requested: cpu=1, used: pods=1, limited: pods=2",
    ],
)
def test_other_texts_are_no_quota_refusal(message: str) -> None:
    assert parse_quota_message(message) is None


def test_gpus_are_counted_in_pieces() -> None:
    text = "x: exceeded quota: q, requested: requests.nvidia.com/gpu=2, used: requests.nvidia.com/gpu=3, limited: "
    found = parse_quota_message(text + "requests.nvidia.com/gpu=4")
    assert found is not None
    assert found.shortages == (Shortage("requests.nvidia.com/gpu", Decimal(2), Decimal(3), Decimal(4)),)
