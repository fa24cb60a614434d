"""Start control, workers and instances: what each of them is given."""

import errno
import fcntl
import os
import pwd
import socket
from collections.abc import Sequence

from . import systemd
from .channel import pair, send_first
from .family import CONTROL, Child, Family
from .launch import CannotLaunch, Identity, Launch, launch
from .listeners import Listener, StartProblem
from .options import MANAGEMENT, Options
from .requests import WORKER, Spawn
from .state import Kept

__all__ = ["Programs", "worker_identity"]

PIPE_SIZE = 1 << 20  # bytes an app may print while control is away, before it has to wait
DEFAULT_PATH = "/usr/bin:/bin"


class Programs:
    """Knows how each kind of child is started; raises CannotLaunch."""

    def __init__(self, options: Options, listeners: Sequence[Listener], family: Family, build: int) -> None:
        self._options = options
        self._ports = [listener for listener in listeners if listener.name != MANAGEMENT]
        self._family = family
        self._build = build

    def control(self) -> socket.socket:
        """Start control; returns init's end of its channel."""
        ours, theirs = _pair()
        program = Launch(
            argv=self._options.control,
            env=systemd.variables_for_control(),
            descriptors=(theirs.fileno(),),
        )
        try:
            pid = launch(program)
        except CannotLaunch:
            ours.close()
            raise
        finally:
            theirs.close()
        self._family.add(CONTROL, CONTROL, pid, self._build)
        return ours

    def worker(self, ident: str, snapshot: Kept | None) -> Child:
        """Start a worker; control's end of its channel stays here, so that a new control goes on with it."""
        for_control, for_worker = _pair()
        try:
            if snapshot is not None:
                send_first(for_control, snapshot.packet, snapshot.descriptor)
            pid = launch(self._worker_program(for_worker))
        except (CannotLaunch, OSError) as error:
            for_control.close()
            if isinstance(error, CannotLaunch):
                raise
            raise CannotLaunch(error.errno or errno.EINVAL, "snapshot") from error
        finally:
            for_worker.close()
        return self._family.add(WORKER, ident, pid, self._build, for_control.detach())

    def instance(self, request: Spawn, standard_input: int | None) -> Child:
        """Start an instance or a task with its own output pipe, whose writing end its tree alone holds."""
        try:
            receiver, sender = os.pipe2(os.O_CLOEXEC)
        except OSError as error:
            raise CannotLaunch(error.errno or errno.EMFILE, "pipe") from error
        _enlarge(sender, request.id)
        program = Launch(
            argv=request.argv,
            env=request.env,
            cwd=request.cwd,
            standard_input=standard_input,
            output=sender,
            identity=request.identity,
            umask=request.umask,
            nofile=request.nofile,
            cgroups=request.cgroups,
            oom_score_adj=request.oom_score_adj,
            nice=request.nice,
        )
        try:
            pid = launch(program)
        except CannotLaunch:
            os.close(receiver)
            raise
        finally:
            os.close(sender)
        return self._family.add(request.kind, request.id, pid, self._build, receiver)

    def _worker_program(self, channel: socket.socket) -> Launch:
        return Launch(
            argv=(*self._options.worker, *(listener.name for listener in self._ports)),
            env={"PATH": os.environ.get("PATH", DEFAULT_PATH), **dict(self._options.worker_env)},
            descriptors=(channel.fileno(), *(listener.descriptor for listener in self._ports)),
            identity=worker_identity(self._options),
        )


def worker_identity(options: Options) -> Identity | None:
    """Find who workers run as; None: as init. Raises StartProblem when the user does not exist."""
    if options.rootless or not options.worker_user:
        return None
    try:
        user = pwd.getpwnam(options.worker_user)
    except KeyError:
        raise StartProblem(f"the user {options.worker_user!r} does not exist") from None
    return Identity(user.pw_uid, user.pw_gid)


def _pair() -> tuple[socket.socket, socket.socket]:
    try:
        return pair()
    except OSError as error:
        raise CannotLaunch(error.errno or errno.EMFILE, "channel") from error


def _enlarge(pipe: int, ident: str) -> None:
    try:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
    except OSError as error:  # beyond the user's share of pipe memory, without CAP_SYS_RESOURCE
        systemd.say(f"the output pipe of {ident} stays small: {error.strerror}")
