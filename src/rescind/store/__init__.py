"""Where it is kept: one contract, one schema, one SQL, two databases."""
