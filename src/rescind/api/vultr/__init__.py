"""The face that speaks Vultr's IAM API, `/v2`."""
