"""Implicit signals: what a conversation says of its answers without anybody being asked."""
