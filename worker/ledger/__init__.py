"""The ledger in Redis: the only code that knows a key or a Lua script."""
