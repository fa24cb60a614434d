"""Replies and events: each one comes back as it was sent, and a newer server's extra fields do no harm."""

import inspect

import msgspec
import pytest

from tako_modules.model.deployment import Counters
from tako_modules.protocol import replies
from tako_modules.protocol.errors import MessageError
from tako_modules.protocol.messages import Owner
from tako_modules.protocol.replies import Failure, decode_data, decode_reply, encode_data, encode_error, encode_event

OWNER = Owner(user="ann", host="laptop", pid=7)
INSTANCE = replies.InstanceData(id=1, state="healthy", port=20001, pid=7, uptime_secs=1.5, version="v1", warning="w")
DEPLOYMENT = replies.DeploymentData(
    id="d1", kind="deploy", version="v1", outcome="success", started_at="2026-11-21T02:00:00Z"
)
DATA: list[msgspec.Struct] = [
    replies.HelloData(protocol_version=3, server_version="0.1.0", build="ab", capabilities=("rollback",), pid=7),
    replies.LeaseData(fence=4, expires_in=30.0),
    replies.UploadData(path="/x", known=True, received=1 << 40),
    replies.PrepareData(path="/x", known=True),
    replies.ExitData(exit_code=-9),
    replies.StatusData(
        name="shop",
        version="v1",
        state="running",
        routes=("a.test",),
        instances=(INSTANCE,),
        builds=(replies.BuildData(version="v1", state="healthy", instances=(INSTANCE,), requests=Counters(started=4)),),
        deployment=DEPLOYMENT,
        last_failure=DEPLOYMENT,
    ),
    replies.ListData(apps=(replies.AppLine(name="shop", version="v1", state="running", instances=2),)),
    replies.RoutesData(routes=(replies.RouteLine(app="shop", routes=("a.test",)),)),
    replies.ReleasesData(
        app="shop",
        releases=(replies.ReleaseLine(version="v1", current=True, good=True, deployed_at_unix_secs=1_790_000_000),),
    ),
    replies.DeployedData(
        status="deployed",
        app="shop",
        version="v1",
        receipt=replies.Receipt(
            instances=(replies.InstanceReceipt(id=1, port=20001, healthy_after=0.5, admitted_after=2.5),),
            phases={"start": 0.5},
            requests=Counters(started=3, finished=3, longest_wait=12),
        ),
        warnings=("w",),
    ),
    replies.StoppedData(app="shop"),
    replies.DeletedData(app="shop", existed=True, trash="/t", trash_bytes=7),
    replies.ServerInfoData(
        mode="normal",
        socket="/s",
        data_dir="/d",
        http_port=80,
        https_port=443,
        no_acme=False,
        rootless=True,
        server_version="0.1.0",
        build="ab",
        pids={"init": 1},
    ),
]
EVENTS = [
    replies.SendEvent(offset=1 << 40),
    replies.LineEvent(text="ü\n", instance="shop/1", at=1.5),
    replies.StepEvent(text="healthy", instance="shop/1", version="v1"),
]
FAILURES = [
    Failure(message="no"),
    Failure(message="no", code="locked", hint="wait", held=replies.LeaseHeld(owner=OWNER, since=1.0, expires_in=2.0)),
    Failure(
        message="no",
        code="rolled_back",
        failure=replies.FailureData(
            rule="probe", url="http://x/", status=500, body="oops", exit_code=-9, log=("a", "b")
        ),
    ),
]


def name_of(value: object) -> str:
    """Name a case by its class."""
    return type(value).__name__


@pytest.mark.parametrize("data", DATA, ids=name_of)
def test_data_comes_back_as_it_was_sent(data: msgspec.Struct) -> None:
    line = encode_data(data)
    assert line.endswith(b"\n")
    assert b"\n" not in line[:-1]
    read = decode_reply(line[:-1])
    assert isinstance(read, bytes)
    assert decode_data(read, type(data)) == data


def test_requests_are_counted_for_versions_and_not_for_instances() -> None:
    assert "requests" in replies.BuildData.__struct_fields__
    assert [name for name in replies.InstanceData.__struct_fields__ if "requests" in name] == []


def test_every_kind_of_data_has_an_example() -> None:
    kinds = {kind for name, kind in inspect.getmembers(replies, inspect.isclass) if name.endswith("Data")}
    assert kinds - {replies.FailureData, replies.BuildData, replies.InstanceData, replies.DeploymentData} == {
        type(each) for each in DATA
    }


@pytest.mark.parametrize("event", EVENTS, ids=name_of)
def test_an_event_comes_back_and_is_no_answer(event: msgspec.Struct) -> None:
    line = encode_event(event)
    assert decode_reply(line) is None
    assert decode_data(line, type(event)) == event


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.code)
def test_an_error_comes_back_with_its_details(failure: Failure) -> None:
    assert decode_reply(encode_error(failure)) == failure


def test_an_error_carries_no_empty_details() -> None:
    assert msgspec.json.decode(encode_error(Failure(message="no"))) == {
        "status": "error",
        "message": "no",
        "code": "failed",
        "hint": "",
    }


def test_fields_of_a_newer_server_are_passed_over() -> None:
    line = b'{"status":"ok","new":1,"data":{"fence":1,"expires_in":2,"new":{"x":[1]}}}'
    read = decode_reply(line)
    assert isinstance(read, bytes)
    assert decode_data(read, replies.LeaseData) == replies.LeaseData(fence=1, expires_in=2.0)


@pytest.mark.parametrize(
    "line",
    [b"", b"hello", b"\xff", b'{"status":"\xff"}', b"[" * 100_000, b"[]", b"{}", b'{"status":"fine"}', b'{"status":7}'],
    ids=lambda line: repr(line[:20]),
)
def test_a_line_that_is_no_answer_is_an_error(line: bytes) -> None:
    with pytest.raises(MessageError):
        decode_reply(line)


def test_data_of_another_shape_is_an_error() -> None:
    with pytest.raises(MessageError, match="not what was asked for"):
        decode_data(b'{"fence":"x"}', replies.LeaseData)
