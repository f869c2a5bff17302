"""The constructs of the stacks."""
