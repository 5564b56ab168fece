"""The gate's bill of materials: every rule that `pulumi preview` and `pulumi up` are held to."""

import sys
from pathlib import Path

import claims
import cost
import evidence
import explanation
import fairness
import gate
import images
import lifecycle
import privacy
import provenance
import quotas
import reading
import residency
import settings
import sight
import tagging
import waiver_rules
import waivers
from pricing.book import PriceBook, PriceBookError
from pulumi_policy import PolicyPack
from security import access, aws, google, kubernetes

HERE = Path(__file__).resolve().parent

try:
    thresholds = settings.thresholds(HERE / "thresholds.yaml")
    exemptions = waivers.load(HERE / "waivers.yaml")
    trust = evidence.signing(HERE / "trusted_keys.yaml")
    approved = provenance.load(HERE / "approved.yaml")
    book = PriceBook.load()
except (settings.SettingsError, PriceBookError) as error:
    sys.exit(str(error))

rules = (
    *tagging.rules(thresholds),
    *images.rules(),
    *quotas.rules(thresholds),
    *fairness.rules(thresholds, trust),
    *explanation.rules(thresholds, trust),
    *privacy.rules(thresholds, trust),
    *provenance.rules(approved),
    *residency.rules(thresholds),
    *lifecycle.rules(),
    *claims.rules(),
    *sight.rules(thresholds),
    *cost.rules(thresholds, book),
    *aws.rules(),
    *google.rules(),
    *kubernetes.rules(thresholds),
    *access.rules(),
)
reading.once()
PolicyPack(
    "guardrails", gate.policies((*rules, *waiver_rules.rules(rules, exemptions)), exemptions)
)
