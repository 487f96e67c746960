"""The pages. Each view fetches through `for_user`, makes one call to the domain, and answers."""
