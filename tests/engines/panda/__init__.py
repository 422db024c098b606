"""A stand-in for a PanDA server, called a fake.

It answers panda-client as the recordings in tests/data/panda do, and behaves in what they do not
hold as a real server (1.0.4 with JEDI) was seen to. What takes minutes there takes less than a
second here.

| behaviour | the real server | the stand-in |
|---|---|---|
| a task right after it was sent | unknown for 2-4 s | unknown for a step |
| then | `registered`, its name a UUID, its user `tobeset` | the same, 0.3 s |
| a second insertion of its name, before JEDI has it | code 1, "already queued" | the same |
| ... while the task goes on, or is broken | code 2, its state | the same |
| ... of a task that has ended | code 0, "reactivation accepted": it begins anew | the same |
| a task found by its name | once JEDI has it | the same |
| kill, before JEDI has the task | refused, "not the task owner" | the same |
| kill, given again before it shows | `(True, 0)` | the same |
| kill of a task with running jobs | `aborting` 5 min, `toabort` 1 min | 0.3 s each |
| kill while jobs are made | overlooks them: `toabort` until they end | the knob `overlooks` |
| jobs that JEDI killed | "killed by kill by USER" | the same |
| jobs that a user killed | "killed by USER", or 1144 of the pilot; made anew | the same |
| killJobs of a job that has ended, or is unknown | `[False]` | the same |
| states of a job | defined, pending, activated, starting, running, holding, finished | the same |
| states of a task at its end | `prepared` or `passed` for a minute | 0.3 s |
| a failed command | the pilot tells its error report, or `ERROR: ...` of its stderr | the same |
| a pilot's heartbeat | each 30 min, noted as modificationTime | 0.1 s |
| is_alive | an empty message | the same |

The knobs of `FakePanda` and `Jedi` make it fail; `proxy.py` does harm to single requests.
"""

from __future__ import annotations

from tests.engines.panda.fake import FakePanda

__all__ = ["FakePanda"]
