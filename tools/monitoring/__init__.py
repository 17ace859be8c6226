"""What watches a running qtasks, generated from the code: alert rules, dashboard, monitors, and the list of metrics."""
