"""The verbs. Each is declared once, as data (`registry.py`); every front end derives from that what it needs."""
