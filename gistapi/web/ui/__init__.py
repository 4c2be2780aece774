"""The search page and the reference: templates, scripts and styles, all from the service itself."""
