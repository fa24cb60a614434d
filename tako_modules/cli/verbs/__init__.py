"""One file per verb, each with a click command; imported only when the verb is typed, by the table of verbs."""
