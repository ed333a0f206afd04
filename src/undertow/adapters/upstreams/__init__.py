"""HTTP to model servers: one connection pool a worker, deadlines, retries and circuit breakers."""
