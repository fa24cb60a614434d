"""Pure decisions: rollouts, health, restarts, conflicts."""
