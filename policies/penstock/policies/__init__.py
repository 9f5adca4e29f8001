"""Who may do what: policies, facts about calls, and the people they speak of."""
