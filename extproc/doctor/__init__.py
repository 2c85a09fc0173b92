"""What `outerloop doctor` asks a running gateway, and what it makes of the answers."""
