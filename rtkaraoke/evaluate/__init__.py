"""How good a separation is: metrics, oracle masks, and the songs to measure them on."""
