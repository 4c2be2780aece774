"""One event loop in a thread of its own, and what the tasks on it share.

`Portal` runs the loop and lets threads read what a task sends. `FairLimiter` bounds how many
exchanges are under way and how much memory they hold, `SingleFlight` shares one load among
concurrent callers, `Threads` do the searches' work in turn, `Rounds` divide long work on the loop,
`Bridge` lets a worker thread call the loop, `CancelSwitch` shows worker threads that their search
has ended. `Scope` identifies the search that a request belongs to. May import `errors`.
"""
