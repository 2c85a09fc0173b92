"""What `outerloop top` and `outerloop logs` show, and how they read it."""
