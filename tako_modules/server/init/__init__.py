"""The parent process of a server: holds listeners, pipes and children, decides nothing; standard library only."""
