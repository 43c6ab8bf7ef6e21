"""Bybit V5, its public side: messages without I/O, a supervised client, and the feeds made of them."""
