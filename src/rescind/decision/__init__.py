"""Who may do what: pure functions of values. No I/O, no clock; may import `model` alone."""
