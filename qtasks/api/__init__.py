"""REST: what `Gateway` offers, over HTTP. `app.create_app` is the application, `server.serve` its processes."""
