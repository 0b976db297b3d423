"""Rescind: an IAM server that takes access away so that it can be proven."""
