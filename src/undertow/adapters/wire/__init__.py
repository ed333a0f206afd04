"""Wire formats: chat completions, Anthropic messages, OpenAI responses. Pure functions over bytes."""
