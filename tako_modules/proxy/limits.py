"""Every wait and every size of the data plane, in one place; `model.snapshot.Limits` may say otherwise for one app."""

__all__ = [
    "BODY_SECONDS",
    "CONNECT_SECONDS",
    "DRAIN_IDLE_SECONDS",
    "DRAIN_SECONDS",
    "FIRST_BYTE_SECONDS",
    "HANDSHAKE_SECONDS",
    "HEAD_SECONDS",
    "IDLE_SECONDS",
    "LINGER_BYTES",
    "LINGER_SECONDS",
    "PIPELINE_BYTES",
    "RESPONSE_SECONDS",
    "TRIES",
    "TUNNEL_CLOSE_SECONDS",
    "TUNNEL_HALF_SECONDS",
    "TUNNEL_IDLE_SECONDS",
    "TUNNEL_WITHDRAWN_SECONDS",
    "UPSTREAM_FRESH_SECONDS",
    "UPSTREAM_IDLE_CONNECTIONS",
    "UPSTREAM_IDLE_SECONDS",
    "UPSTREAM_REST_SECONDS",
    "WRITE_SECONDS",
]

# Clients. Slow ones cost little, but not nothing: nobody may keep a connection without getting on.
HANDSHAKE_SECONDS = 10.0  # a TLS handshake, whole
HEAD_SECONDS = 10.0  # a request's head, from its first byte (on a new connection: from the accept)
IDLE_SECONDS = 75.0  # between two requests of a connection; browsers close after some minutes
BODY_SECONDS = 60.0  # of silence inside a request's body
WRITE_SECONDS = 60.0  # in which a peer takes nothing of what is queued for it
LINGER_SECONDS = 2.0  # after the last answer, for a client that is still sending: a close would make it lose the answer
LINGER_BYTES = 8 << 20  # of what is sent meanwhile, and thrown away
PIPELINE_BYTES = 16 << 10  # of further requests that wait while one is answered: a head's size

# Upstreams. They are on this machine or the next one, and are told apart from a slow app.
CONNECT_SECONDS = 5.0  # for an instance to take a connection: its backlog is full
FIRST_BYTE_SECONDS = 300.0  # of thinking before an answer: reports take minutes, and a client may leave at any time
RESPONSE_SECONDS = 300.0  # of silence inside an answer: event streams are silent for long
UPSTREAM_IDLE_SECONDS = 4.0  # node and uvicorn close after 5: whoever closes first never meets a request in flight
UPSTREAM_FRESH_SECONDS = 1.0  # requests that cannot be repeated only go to connections used within this time
UPSTREAM_IDLE_CONNECTIONS = 256  # per instance: what a burst leaves open for four seconds, at 3 KB each
UPSTREAM_REST_SECONDS = 0.25  # how long an instance that refused a connection is passed over
TRIES = 3  # of one request: a stale connection, then an instance that is gone, then the next one

# Tunnels.
TUNNEL_IDLE_SECONDS = 3600.0  # without a byte in either direction; dead peers are found by TCP keep-alive long before
TUNNEL_WITHDRAWN_SECONDS = 20.0  # after its instance was withdrawn: the close frame must come before control's 30 s
TUNNEL_HALF_SECONDS = 60.0  # without a byte when one side has said everything
TUNNEL_CLOSE_SECONDS = 5.0  # for the client to answer a close frame

# Leaving.
DRAIN_SECONDS = 30.0  # for everything that is open when a worker is told to leave
DRAIN_IDLE_SECONDS = 5.0  # for the next request of an open connection, which is answered with `Connection: close`
