"""`__control__`, `__worker__`, `__ports__`, `__static__`: the processes that a server is made of."""

from tako_modules import BUILD, VERSION
from tako_modules.base.program import this_program

__all__ = ["run_control", "run_ports", "run_static", "run_worker"]


def run_control(arguments: list[str]) -> int:
    """Be the control process; its options are one JSON argument."""
    from tako_modules.server import child

    return child.run_control(arguments[0], this_program(), version=VERSION, build=BUILD)


def run_worker(arguments: list[str]) -> int:
    """Be a data-plane worker; the arguments name its listeners."""
    from tako_modules.server import child

    return child.run_worker(arguments)


def run_ports(arguments: list[str]) -> int:
    """Print the listeners of a process and its family."""
    from tako_modules.supervisor import ports

    ports.print_owned(int(arguments[0]))
    return 0


def run_static(arguments: list[str]) -> int:
    """Serve a folder of files on $HOST:$PORT."""
    from tako_modules.runtimes import files_app

    files_app.main(arguments[0])
    return 0
