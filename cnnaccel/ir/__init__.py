"""The integer graph: what it is, how it is checked, stored and executed. numpy only, no torch."""
