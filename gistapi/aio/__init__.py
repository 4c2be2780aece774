"""Waiting, in one place: one event loop in its own thread, and what tasks on it share.

`Portal` runs the loop and lets threads read what a task sends. `FairLimiter` bounds how many
exchanges are under way, `SingleFlight` shares one load among concurrent callers, `Bridge` lets a
worker thread ask the loop, `CancelSwitch` tells worker threads that their search has ended.
`Scope` says for whom the loop works. May import `errors` only.
"""
