"""The management socket: requests and answers over any byte stream; programs enter and bring the stream or listener."""
