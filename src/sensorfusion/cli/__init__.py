"""The command line: one module per group of commands; each command is imported when called."""
