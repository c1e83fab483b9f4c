"""An emulated Bybit v5 exchange on loopback: REST and streams, spot and linear perpetuals, with scripted faults."""
