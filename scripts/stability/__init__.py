"""The campaign behind docs/stability.md: what a kill, strange input, threads, forks or an hour may not do.

    python -m scripts.stability --kills 200 --fuzz 10000 --injection 1000 --soak-s 3600

Each part is a module with one function ``run`` that gives a `CampaignOutcome`. A part looks for what must
never be: a row lost or doubled, an answer that is wrong, an error that is not the package's own, a call that
takes more than ten seconds, a file of somebody else that is touched.
"""
