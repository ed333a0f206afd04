"""The nouns that stages hand on: frozen, without behaviour beyond their own shape."""
