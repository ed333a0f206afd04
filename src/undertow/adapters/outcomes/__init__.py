"""Where business outcomes come from (files that are dropped, exports of ticket systems, queries), and the index of what was pulled."""
