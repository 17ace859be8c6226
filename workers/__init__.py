"""The Celery workers: the application, what happens as processes come and go, and one thin task per stage."""
