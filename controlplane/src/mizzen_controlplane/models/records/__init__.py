"""What people and pipelines write about models and versions: cards, lineage, results of evaluations."""
