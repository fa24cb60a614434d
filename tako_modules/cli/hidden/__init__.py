"""Commands that programs call and people do not: `run(arguments) -> exit code`, started without click for speed."""
