"""Pure signal processing: it knows no device, no network and no file."""
