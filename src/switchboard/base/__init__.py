"""What every package may use: findings, errors, discovery by file name."""
