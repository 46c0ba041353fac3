"""At the province: takes sealed envelopes from enrolled kiosks and hands them on."""
