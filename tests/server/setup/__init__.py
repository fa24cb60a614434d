"""Setting a machine up and taking the server away: plans of facts, and small steps on a real disk."""
