"""Errors on their way over the wire: TakoError → Failure on the server, Failure → TakoError at the client."""

from tako_modules.base.errors import Locked, Refused, TakoError
from tako_modules.protocol.replies import Failure, FailureData, LeaseHeld

__all__ = ["LeaseRefusal", "Refusal", "error_of", "failure_of", "sole_error"]

_LEASE_CODES = frozenset({"locked", "lease_lost"})


class Refusal(Refused):
    """A server's no with its details: `failure` says why an instance or a command failed, None when it is not that."""

    def __init__(
        self, message: str, *, code: str = "failed", hint: str = "", failure: FailureData | None = None
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.failure = failure


class LeaseRefusal(Locked):
    """The lease of an app is somebody else's: `held` tells whose, None when it was lost."""

    def __init__(self, message: str, *, code: str = "locked", hint: str = "", held: LeaseHeld | None = None) -> None:
        super().__init__(message, code=code, hint=hint)
        self.held = held


def failure_of(error: TakoError) -> Failure:
    """Word an error for the wire, with the details `failure` and `held` where it has them."""
    failure, held = getattr(error, "failure", None), getattr(error, "held", None)
    return Failure(
        message=error.message,
        code=error.code,
        hint=error.hint,
        failure=failure if isinstance(failure, FailureData) else None,
        held=held if isinstance(held, LeaseHeld) else None,
    )


def error_of(failure: Failure) -> Refused:
    """Make the error that a client raises: the lease's own codes exit 3, all others 1."""
    if failure.code in _LEASE_CODES:
        return LeaseRefusal(failure.message, code=failure.code, hint=failure.hint, held=failure.held)
    return Refusal(failure.message, code=failure.code, hint=failure.hint, failure=failure.failure)


def sole_error(error: BaseException) -> BaseException:
    """Take a single error out of the groups that task groups wrap around it; several stay a group."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
