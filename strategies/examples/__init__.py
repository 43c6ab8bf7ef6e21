"""Worked examples of strategy files: read by `sluice replay --strategy`, never imported by the product."""
