"""What citizens see on their own phone: the ticket, and appointments."""
