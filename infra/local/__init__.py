"""The local cloud: MiniStack, embedded Postgres, simulators, sample history."""
