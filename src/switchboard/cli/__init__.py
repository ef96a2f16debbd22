"""The command line: one file for each verb, renders reports and nothing else."""
