"""One module a page (or group of pages); each has `ROUTES`, below `/ui`."""
