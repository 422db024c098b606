"""The PanDA backend: jobs run on the grid.

In the runner:

    backend.py          the backend itself
    client_call.py      starts the process that speaks to PanDA, and reads its answer
    senders.py          the processes that send batches
    status.py           what PanDA says of a task, as the status of each of its jobs
    states.py           PanDA's states of tasks and jobs, and how they are shown
    stop_texts.py       what is said of a job that is being stopped
    task_ends.py        which tasks PanDA has been told to end
    heartbeats.py       how long a pilot has been silent
    failures.py         PanDA's codes and diagnostics of a job, as a reason and a sentence
    error_codes.py      the codes of PanDA's parts, as our reasons and in words
    credentials.py      who the user is to PanDA, and until when the sign-in holds
    outputs.py          what finished jobs left, brought into the scan's folder

In the process that speaks to PanDA:

    client.py           reads the question, writes the answer; checks, asks
    sending.py          sends a batch, and asks first if it may have been sent before
    wrapped_client.py   panda-client's functions, made safe to call
    strange_answers.py  web pages and the like where data were expected
    task_map.py         what PanDA is told of a task
    task_options.py     the options of `prun` that a user may give
    sandbox.py          the archive that travels to the jobs
"""
