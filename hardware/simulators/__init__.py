"""The other end of each wire, as real programs: what the drivers talk to where no hardware is."""
