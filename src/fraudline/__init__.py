"""fraudline catches card fraud while the payment is still in flight."""
