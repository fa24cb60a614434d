"""Which protocol this build speaks, and what it can do."""

__all__ = ["CAPABILITIES", "LATER", "PROTOCOL"]

PROTOCOL = 3

CAPABILITIES = (
    "deploy_instances_idle_timeout",
    "on_demand_cold_start",
    "idle_scale_to_zero",
    "server_runtime_info",
    "release_history",
    "rollback",
    "leases",
    "upload_whole",
    "logs",
    "scale",
)

LATER: dict[str, str] = {
    # command → the version that brings it; an older server must say so instead of "unknown command"
    "update_secrets": "0.2",
    "enter_upgrading": "0.2",
    "exit_upgrading": "0.2",
    "run": "0.2",
    "events": "0.3",
    "metrics": "0.3",
}
