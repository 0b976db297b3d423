"""How it answers fast, and never from the past: the head of the log and what is kept in memory because of it."""
