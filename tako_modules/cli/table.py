"""The table of verbs: where each one lives and what it does; nothing of it is imported before it is typed."""

from typing import NamedTuple

__all__ = ["GROUPS", "HIDDEN", "VERBS", "Verb", "top_level"]


class Verb(NamedTuple):
    """Where a verb's click command is (`module:attribute`), and its sentence for `--help`; "" shows nothing."""

    target: str
    help: str


# A name with a space is a verb of a group: "servers add" is typed `tako servers add`.
VERBS: dict[str, Verb] = {
    "init": Verb("tako_modules.cli.verbs.init:command", "Write a tako.toml for the app in this folder."),
    "deploy": Verb("tako_modules.cli.verbs.deploy:command", "Build this project and roll it out on its servers."),
    "status": Verb("tako_modules.cli.verbs.status:command", "Show how the app is doing on its servers."),
    "logs": Verb("tako_modules.cli.verbs.logs:command", "Show what the app prints."),
    "releases": Verb("tako_modules.cli.verbs.releases:command", "List the releases that the servers keep."),
    "rollback": Verb("tako_modules.cli.verbs.rollback:command", "Go back to an earlier deployment."),
    "scale": Verb("tako_modules.cli.verbs.scale:command", "Change how many instances each server keeps."),
    "restart": Verb("tako_modules.cli.verbs.restart:command", "Replace all instances without losing a request."),
    "stop": Verb("tako_modules.cli.verbs.stop:command", "Stop the app until it is started or deployed."),
    "start": Verb("tako_modules.cli.verbs.start:command", "Start a stopped app again."),
    "delete": Verb("tako_modules.cli.verbs.delete:command", "Take the app away from its servers."),
    "servers add": Verb("tako_modules.cli.verbs.servers_add:command", "Make a machine a server."),
    "servers ls": Verb("tako_modules.cli.verbs.servers_ls:command", "List your servers."),
    "servers status": Verb("tako_modules.cli.verbs.servers_status:command", "Show how your servers are doing."),
    "servers restart": Verb("tako_modules.cli.verbs.servers_restart:command", "Restart a server and all apps on it."),
    "servers upgrade": Verb("tako_modules.cli.verbs.servers_upgrade:command", ""),  # only says that it comes later
    "servers rm": Verb("tako_modules.cli.verbs.servers_rm:command", "Forget a server; the machine stays as it is."),
    "servers uninstall": Verb("tako_modules.cli.verbs.servers_uninstall:command", "Remove tako from a machine."),
    "serve": Verb("tako_modules.cli.verbs.serve:command", "Be a server: supervisor, proxy, management socket."),
}

# The sentence of each group; it shows once the group has a verb.
GROUPS: dict[str, str] = {
    "certs": "See, issue and import certificates.",
    "secrets": "Keep the secrets of an environment.",
    "server": "Look after the server that this machine is.",
    "servers": "Add servers and look after them.",
}

# Started by other programs with a list of arguments, each a function (list[str]) -> int; in no help.
HIDDEN: dict[str, str] = {
    "__control__": "tako_modules.cli.hidden.processes:run_control",
    "__install__": "tako_modules.cli.hidden.install:run",
    "__pip__": "tako_modules.cli.hidden.pip:run",
    "__ports__": "tako_modules.cli.hidden.processes:run_ports",
    "__selftest__": "tako_modules.cli.hidden.selftest:run",
    "__socket__": "tako_modules.cli.hidden.socket_pipe:run",
    "__uninstall__": "tako_modules.cli.hidden.uninstall:run",
    "__static__": "tako_modules.cli.hidden.processes:run_static",
    "__worker__": "tako_modules.cli.hidden.processes:run_worker",
}


def top_level(verbs: dict[str, Verb] = VERBS, prefix: str = "") -> dict[str, str]:
    """List what may follow `tako`, or a group's name with a space behind it, with its sentence: verbs and groups."""
    listed = {}
    for name in verbs:
        if name.startswith(prefix) and verbs[name].help:
            first, _, rest = name.removeprefix(prefix).partition(" ")
            listed[first] = GROUPS.get(prefix + first, "") if rest else verbs[name].help
    return listed
