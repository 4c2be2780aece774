"""Who may take how much: callers' keys, counters with a window, quota leases, used nonces.

Counters and nonces are shared by all instances where the cache's URL names a Redis or Valkey. May
import `errors`, `models`, `events` and `cache`.
"""
