"""What knows no papers: text, files, the checkout, the network."""
