"""Everything on one machine: simulators, dock, servers and the application, and the tour through them."""
