"""The face that is Rescind's own, `/v1`."""
