"""One hard thing: turning a release into a process that is known to be well; only programs may enter."""
