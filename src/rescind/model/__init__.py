"""What exists: frozen values, changes and errors. No I/O, no clock, no framework."""
