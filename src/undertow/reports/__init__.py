"""Faces of an audit: terminal, JSON, HTML, Markdown. They read an `AuditReport` and compute nothing statistical of their own."""
