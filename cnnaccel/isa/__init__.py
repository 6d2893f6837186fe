"""Programs and their meaning: instructions, files, and the interpreter that defines them."""
