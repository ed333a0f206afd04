"""List prices of models, offline and dated, from genai-prices.

listed.py    one price a model, for what a log cost and would have cost
serving.py   all sorts of tokens and lengths of prompt, for the serving plan
"""
