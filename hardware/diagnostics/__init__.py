"""What a technician needs to prove the machine healthy."""
