"""The workers' own event loop and its streams, plain and TLS, without any HTTP; every room above may enter."""
