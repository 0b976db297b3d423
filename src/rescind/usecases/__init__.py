"""What people ask for: one function per verb, enforced and written by `service` alone.

A use case takes a `View` (reading) or a `Unit` (planning a write) and returns what is so, or what it would do. It
knows no dialect, no status and no database.
"""
