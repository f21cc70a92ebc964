"""Pages and documents for people: reports of networks, results of audits."""
