"""What people look at: tables, pictures, progress. Computes no result of its own."""
