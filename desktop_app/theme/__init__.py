"""Design tokens, style sheet, icons."""
