"""From claims and facts on the chain to links of companies and addresses: role, grade, evidence for and against."""
