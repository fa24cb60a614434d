"""A built-in server that answers from a script, on the socket where the verbs look for the real one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import msgspec
from anyio.from_thread import start_blocking_portal

from tako_modules.base.errors import Refused, TakoError
from tako_modules.mgmt.connection import Call
from tako_modules.model.deployment import Counters
from tako_modules.protocol import messages, replies
from tests.mgmt.doors import serving

__all__ = ["ANSWERS", "PROJECT", "Endless", "Script", "scripted"]

Script = dict[type[messages.Request], msgspec.Struct | TakoError]

PROJECT = """\
name = "shop"
runtime = "command"
start = ["true"]
[envs.production]
route = "shop.localhost"
[servers.local]
env = "production"
"""

ROLLS = (messages.Deploy, messages.Rollback, messages.Scale, messages.Restart, messages.Start)


class Endless(msgspec.Struct):
    """No answer: the request runs until the client leaves."""


INSTANCE = replies.InstanceData(id=1, state="healthy", port=20000, pid=7, version="v1")
RAN = replies.DeploymentData(id="1", kind="deploy", version="v1", outcome="success", started_at="2026-01-01T00:00:00Z")
DEPLOYED = replies.DeployedData(
    status="deployed",
    app="shop",
    version="v1",
    new_instances=1,
    receipt=replies.Receipt(
        instances=(replies.InstanceReceipt(id=1, port=20000, healthy_after=0.2, admitted_after=2.2),),
        phases={"rollout": 2.2},
        requests=Counters(started=3, finished=3, longest_wait=5),
    ),
)
ANSWERS: Script = {
    messages.Hello: replies.HelloData(protocol_version=3, server_version="0.1.0"),
    messages.ServerInfo: replies.ServerInfoData(
        mode="normal",
        socket="/s",
        data_dir="/d",
        http_port=8080,
        https_port=8443,
        no_acme=True,
        rootless=True,
        server_version="0.1.0",
        build="b",
        free_bytes=1 << 40,
    ),
    messages.Lease: replies.LeaseData(fence=1, expires_in=30.0),
    messages.Routes: replies.RoutesData(routes=()),
    messages.List: replies.ListData(apps=(replies.AppLine(name="shop", version="v1", state="running", instances=1),)),
    messages.Upload: replies.UploadData(path="/d/apps/shop/releases/v1", known=True),
    messages.Prepare: replies.PrepareData(path="/d/apps/shop/releases/v1"),
    messages.RunRelease: replies.ExitData(exit_code=0),
    messages.Deploy: DEPLOYED,
    messages.Rollback: DEPLOYED,
    messages.Scale: DEPLOYED,
    messages.Restart: DEPLOYED,
    messages.Start: DEPLOYED,
    messages.Stop: replies.StoppedData(app="shop"),
    messages.Delete: replies.DeletedData(app="shop", existed=True, trash="/d-trash/shop", trash_bytes=5),
    messages.Status: replies.StatusData(
        name="shop",
        version="v1",
        state="running",
        routes=("shop.localhost",),
        instances=(INSTANCE,),
        builds=(replies.BuildData(version="v1", state="running", instances=(INSTANCE,)),),
        deployment=RAN,
        last_failure=RAN,
    ),
    messages.ListReleases: replies.ReleasesData(
        app="shop",
        releases=(replies.ReleaseLine(version="v1", current=True, good=True, deployed_at_unix_secs=1, size=9),),
    ),
    messages.Logs: replies.ExitData(exit_code=0),
}
"""What a healthy server says to each request."""


@contextmanager
def scripted(home: Path, script: Script) -> Iterator[None]:
    """Serve as `local` below a TAKO_HOME while the block runs; `script` wins over ANSWERS."""
    answers = {**ANSWERS, **script}

    async def handler(request: messages.Request, call: Call) -> msgspec.Struct:
        answer = answers.get(type(request), Refused("it is not in the script"))
        if isinstance(request, messages.Logs):
            await call.event(replies.LineEvent(text="hello", instance="1", at=1.5))
        if isinstance(request, ROLLS):
            await call.event(replies.StepEvent(text="starting instance 1 on port 20000"))
            await call.event(replies.StepEvent(text="instance 1 gets traffic"))
        if isinstance(answer, Endless):
            await anyio.sleep_forever()
        if isinstance(answer, TakoError):
            raise answer
        return answer

    folder = home / "local"
    folder.mkdir(parents=True)
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(serving(folder / "tako.sock", handler)):
        yield
