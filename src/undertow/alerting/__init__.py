"""Who is told of what, and when: episodes, messages, repeats and silences, without sending anything."""
