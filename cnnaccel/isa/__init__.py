"""What a program is and means: instructions, files, and the interpreter that defines them."""
