"""The way to the queue over HTTP: `rest.Rest`. The API takes its problems from here, without a client of HTTP."""
