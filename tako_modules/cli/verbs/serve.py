"""`tako serve`: be a server; systemd starts it, and `local` uses it too."""

import os

import click
import msgspec

from tako_modules.base.program import this_program
from tako_modules.server.launch import launch
from tako_modules.server.options import ServeOptions

EXAMPLE = "tako serve --rootless --port 8080 --tls-port 8443 --data-dir /tmp/tako-data --socket /tmp/tako.sock"
MOST_DEFAULT_WORKERS = 8  # beyond that a person decides


@click.command("serve", epilog=f"Example: {EXAMPLE}")
@click.option("--socket", default="/var/run/tako/tako.sock", show_default=True, help="The management socket.")
@click.option("--port", default=80, show_default=True, help="For plain HTTP.")
@click.option("--tls-port", default=443, show_default=True, help="For HTTPS.")
@click.option("--data-dir", default="/opt/tako", show_default=True, help="Where everything is kept.")
@click.option("--rootless", is_flag=True, help="Run everything as this user; implied without root.")
@click.option("--loopback", is_flag=True, help="Listen on this machine's loopback addresses only.")
@click.option(
    "--workers",
    type=int,
    default=None,
    help=f"Data-plane processes; one per core, {MOST_DEFAULT_WORKERS} at the most, when left out.",
)
@click.option("--instance-port-offset", default=0, show_default=True, help="Added to the ports 20000-29999.")
@click.option("--no-acme", is_flag=True, help="Ask no authority for certificates.")
@click.option("--acme-staging", is_flag=True, help="Ask the staging authority.")
@click.option("--acme-email", default="", help="The address that the authority may write to.")
@click.option("--acme-directory", default="", help="The authority's directory address.")
@click.option("--renewal-interval-hours", default=12, show_default=True, help="Between looks at certificates.")
@click.option("--authority", default="", help="The folder of a local authority that signs what is missing.")
def command(workers: int | None, rootless: bool, **given: object) -> None:
    """Run the server: supervisor, proxy and management socket."""
    cores = min(len(os.sched_getaffinity(0)), MOST_DEFAULT_WORKERS)
    chosen = {
        **given,
        "workers": cores if workers is None else workers,
        "rootless": rootless or os.geteuid() != 0,
    }
    options = msgspec.convert(chosen, ServeOptions)
    launch(options, this_program())
