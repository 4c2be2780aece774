"""Who may use how much: callers' keys, counters with a window, quota leases, used nonces.

Counters and nonces are shared by all instances if the cache's URL names a Redis or Valkey. May
import `errors`, `events` and `cache`.
"""
