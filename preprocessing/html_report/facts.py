"""Short facts of the HTML report: a term and its value."""

from __future__ import annotations

from preprocessing.html_report.numbers_shown import count_shown, size_shown
from preprocessing.html_report.side_by_side import clean_text
from preprocessing.html_report.tables import Report

Facts = list[tuple[str, str]]


def near_duplicate_facts(report: Report) -> Facts:
    """Returns how near-duplicates were found.

    Args:
      report: What `report.json` holds.

    Returns:
      Terms and their values; none if the stage was off.
    """
    found = report.get("near_duplicates") or {}
    if not found.get("enabled"):
        return []
    bands = f"{found['num_bands']} of {found['rows_per_band']} rows"
    return [
        ("Copies removed", count_shown(found["num_removed"])),
        ("Clusters", count_shown(found["num_clusters"])),
        ("Jaccard similarity from", f"{found['threshold']:g}"),
        ("Verified by true Jaccard", "yes" if found["verify"] else "no: pairs are estimates"),
        ("Pairs: candidates", count_shown(found["num_candidate_pairs"])),
        ("Pairs: compared", count_shown(found["num_compared_pairs"])),
        ("Pairs: near-duplicates", count_shown(found["num_pairs"])),
        ("Permutations", count_shown(found["num_permutations"])),
        ("Bands", bands),
    ]


def group_facts(report: Report) -> Facts:
    """Returns how repositories were grouped before they were split.

    Args:
      report: What `report.json` holds.

    Returns:
      Terms and their values.
    """
    found = report.get("repository_groups") or {}
    if not found:
        return []
    facts = [
        ("Repositories", count_shown(found["num_repositories"])),
        ("Groups that stay together", count_shown(found["num_groups"])),
        ("Repositories linked to another", count_shown(found["num_linked_repositories"])),
        ("Pairs of forks", count_shown(found["num_fork_pairs"])),
    ]
    largest, cut = found.get("largest_group"), found.get("cut")
    if largest:
        number = largest["num_repositories"]
        size = f"{count_shown(number)} {'repository' if number == 1 else 'repositories'}, "
        size += f"{count_shown(largest['num_files'])} files"
        facts.append(("Largest group", f"{size}, first {clean_text(str(largest['name']))}"))
    if cut:
        copies = f"{count_shown(cut['num_copies'])} copies, {size_shown(cut['size_bytes'])}"
        facts.append(("Shared files cut", f"{count_shown(cut['num_clusters'])} ({copies})"))
    return facts
