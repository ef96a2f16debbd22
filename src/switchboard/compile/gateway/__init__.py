"""From the routes of the view to Envoy's configuration."""
