"""What a program will take, and what other engines would."""
