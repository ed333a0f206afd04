"""From evidence and ledger to a verdict, its reasons and what would settle it. Pure."""
