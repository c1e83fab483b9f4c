"""What live market-data sources share, whoever the vendor is: reads, histories, quotes."""
