"""A model TTHC system: both protocols, faults on demand, a page that shows what arrived."""
