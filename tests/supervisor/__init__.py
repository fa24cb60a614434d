"""From a release to a process that is known to be well."""
