"""What an installation consists of: names, paths, and the texts of the files; one literal each."""

from pathlib import PurePosixPath

from tako_modules.base import paths

__all__ = [
    "BIN",
    "CURRENT",
    "DATA",
    "GROUP",
    "HOME",
    "KEYS",
    "LAUNCHER",
    "LOGIN_USER",
    "NFT_FILE",
    "NFT_TABLE",
    "PORTS",
    "RECEIPT",
    "RUNTIME",
    "SERVICE",
    "SOCKET",
    "TMPFILES",
    "TRASH",
    "UNIT",
    "WORKER_USER",
    "key_line",
    "texts",
]

GROUP = "tako"
LOGIN_USER = "tako"
WORKER_USER = "tako-proxy"
SERVICE = "tako.service"
PORTS = (80, 443)

DATA = PurePosixPath(paths.DATA_DIR)
BIN = DATA / "bin"
CURRENT = BIN / "current"
RUNTIME = ".tako-runtime"  # beside the archive: where the boot looks for its unpacked self
RECEIPT = BIN / "installed.json"
NFT_FILE = BIN / "tako.nft"
NFT_TABLE = ("inet", "tako")
TRASH = PurePosixPath(paths.ServerPaths(paths.DATA_DIR).trash)
HOME = PurePosixPath("/home/tako")
KEYS = HOME / ".ssh/authorized_keys"
LAUNCHER = PurePosixPath("/usr/local/bin/tako")
TMPFILES = PurePosixPath("/etc/tmpfiles.d/tako.conf")
UNIT = PurePosixPath("/etc/systemd/system/tako.service")
SOCKET = PurePosixPath("/run/tako/tako.sock")  # /var/run is a link to /run wherever systemd is

_TMPFILES = "d /run/tako 0750 root tako -\n"
_LAUNCHER = """\
#!/bin/sh
# put here by `tako servers add`
exec {python} -IS {current}/tako.pyz "$@"
"""
_NFT = """\
table inet tako
delete table inet tako
table inet tako {
  chain input {
    type filter hook input priority -5; policy accept;
    iifname != "lo" tcp dport 20000-29999 drop
  }
}
"""
_UNIT = """\
[Unit]
Description=Tako server
After=network.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
Environment=TAKO_CACHE={current}/{runtime} HOME={data} USER=root
EnvironmentFile=-/etc/default/tako
ExecStartPre=-+{nft} -f {nft_file}
ExecStart={python} -IS {current}/tako.pyz serve --data-dir {data} --socket {socket}
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=100ms
KillMode=mixed
TimeoutStopSec=90
Delegate=yes
OOMPolicy=continue
TasksMax=infinity
FileDescriptorStoreMax=64
LimitNOFILE=1048576
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet={capabilities}
ProtectSystem=true
ProtectHome=yes
PrivateTmp=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectClock=yes
RestrictSUIDSGID=yes

[Install]
WantedBy=multi-user.target
"""
_CAPABILITIES = (
    "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_KILL CAP_SETUID CAP_SETGID CAP_NET_BIND_SERVICE CAP_SYS_RESOURCE"
)


def texts(python: str, nft: str) -> dict[PurePosixPath, tuple[str, int]]:
    """Give every text file of an installation: path → (content, mode); nft: its program, where it is or would be."""
    unit = _UNIT.format(
        current=CURRENT,
        runtime=RUNTIME,
        data=DATA,
        socket=SOCKET,
        python=python,
        nft=nft or "/usr/sbin/nft",
        nft_file=NFT_FILE,
        capabilities=_CAPABILITIES,
    )
    return {
        NFT_FILE: (_NFT, 0o644),
        LAUNCHER: (_LAUNCHER.format(python=python, current=CURRENT), 0o755),
        TMPFILES: (_TMPFILES, 0o644),
        UNIT: (unit, 0o644),
    }


def key_line(public_key: str) -> str:
    """Write the authorized_keys line that lets a key do nothing but speak to the server."""
    return f'restrict,command="{LAUNCHER} __socket__" {public_key}'
