"""`mcr shell`: a console over the same verbs. The only room that imports prompt_toolkit."""
