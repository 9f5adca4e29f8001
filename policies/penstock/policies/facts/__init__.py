"""Facts about calls: what a policy can trust where the arguments are a model's own words."""

from penstock.policies.facts.addresses import RecipientDomains, recipient_domains
from penstock.policies.facts.describe import describe, problems_with
from penstock.policies.facts.extractor import (
    Extractor,
    FactError,
    FactValue,
    Takes,
    compute_facts,
)
from penstock.policies.facts.hosts import UrlHost, url_host
from penstock.policies.facts.money import MinorUnits, minor_units
from penstock.policies.facts.own import Own, fact
from penstock.policies.facts.paths import RealPath, real_path

__all__ = [
    "Extractor",
    "FactError",
    "FactValue",
    "MinorUnits",
    "Own",
    "RealPath",
    "RecipientDomains",
    "Takes",
    "UrlHost",
    "compute_facts",
    "describe",
    "fact",
    "minor_units",
    "problems_with",
    "real_path",
    "recipient_domains",
    "url_host",
]
