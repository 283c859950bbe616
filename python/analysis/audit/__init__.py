"""What published tables of energy cannot be trusted for, and what is left of their ranking.

Every check looks at numbers alone: it says what it saw, in how many trials, and what would have to
be left out for the comparison to stand without it. See docs/audit.md.
"""
