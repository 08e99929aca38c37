"""What is compared: a script per client, each run as a process of its own for a job.

`python -m clients.native JOB URL COUNT [PARAMETER]`, in the folder bench. The same jobs in C are in jobs.c.
"""
