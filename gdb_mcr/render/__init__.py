"""Result objects to lines of text (`text.lines`) or JSON (`as_json.to_json`). Nothing here prints."""
