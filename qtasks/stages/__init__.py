"""What is done to a job at each stage: validate, schedule, execute, aftercare; and the reconciler and lease keeper.

A stage takes a batch that this worker has claimed and returns what it carries on with. It knows nothing of Celery.
"""
