"""The language of the management socket: messages, frames and versions as pure values; both sides speak it."""
