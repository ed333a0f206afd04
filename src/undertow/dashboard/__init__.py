"""The dashboard under `/ui`: pages that are made on the server, for whoever owns the bill, the quality or the pager."""
