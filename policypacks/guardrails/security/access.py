"""Who may do what: IAM policies, Kubernetes RBAC, Google Cloud roles, and secrets in plain sight."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from gate import ResourceRule, Rule
from pricing.declared import Resource, is_unknown

from security.expect import expect
from security.kubernetes import containers, pod_of

IDENTITY_POLICIES = {
    "aws:iam/policy:Policy": "policy",
    "aws:iam/rolePolicy:RolePolicy": "policy",
    "aws:iam/userPolicy:UserPolicy": "policy",
    "aws:iam/groupPolicy:GroupPolicy": "policy",
}
RESOURCE_POLICIES = {
    "aws:iam/role:Role": "assumeRolePolicy",
    "aws:s3/bucketPolicy:BucketPolicy": "policy",
    "aws:sqs/queue:Queue": "policy",
    "aws:sqs/queuePolicy:QueuePolicy": "policy",
    "aws:sns/topicPolicy:TopicPolicy": "policy",
    "aws:kms/key:Key": "policy",
    "aws:ecr/repositoryPolicy:RepositoryPolicy": "policy",
    "aws:secretsmanager/secretPolicy:SecretPolicy": "policy",
    "aws:lambda/permission:Permission": "",
}
ATTACHMENTS = {
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": ("policyArn",),
    "aws:iam/userPolicyAttachment:UserPolicyAttachment": ("policyArn",),
    "aws:iam/groupPolicyAttachment:GroupPolicyAttachment": ("policyArn",),
    "aws:iam/policyAttachment:PolicyAttachment": ("policyArn",),
    "aws:iam/role:Role": ("managedPolicyArns.*",),
}
TOO_MUCH = re.compile(r":aws:policy/(?:.*/)?(AdministratorAccess|PowerUserAccess|IAMFullAccess)$")
MEMBERS = re.compile(r"^gcp:.*(IAMMember|IAMBinding|IamMember|IamBinding)$")
BASIC_ROLES = frozenset({"roles/owner", "roles/editor", "roles/iam.securityAdmin"})
EVERYBODY = frozenset({"allUsers", "allAuthenticatedUsers"})
ROLES = (
    "kubernetes:rbac.authorization.k8s.io/v1:Role",
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole",
)
BINDINGS = (
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding",
    "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding",
)
ESCALATING = frozenset({"escalate", "bind", "impersonate"})
SECRET_NAME = re.compile(
    r"(^|_)(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS?)(_|$)", re.IGNORECASE
)  # fmt: skip
SECRET_VALUE = re.compile(
    r"AKIA[0-9A-Z]{16}|-----BEGIN [A-Z ]*PRIVATE KEY-----|ghp_[A-Za-z0-9]{36}"
)
NO_SECRET = re.compile(r"^(arn:|projects/|https?://|/|vault:|sm://)|(_FILE|_ARN|_NAME|_PATH|_URL)$")
ENVIRONMENTS = {
    "aws:lambda/function:Function": "environment.variables",
    "gcp:cloudfunctionsv2/function:Function": "serviceConfig.environmentVariables",
}
ME = __name__


def rules() -> tuple[Rule, ...]:
    return (
        ResourceRule(
            name="policies-name-what-they-allow",
            description="No IAM policy allows every action of a service, or everything but a list, on all resources.",
            check=sweeping,
            remedy="Name the actions, and the resources or a condition.",
            types=tuple(IDENTITY_POLICIES), severity="high",
            frameworks=("CIS AWS 3.0 1.16", "NIST 800-53 AC-6", "SOC 2 CC6.3"),
        ),
        ResourceRule(
            name="policies-trust-somebody",
            description="No role, bucket, queue, topic, key or function trusts everybody without a condition.",
            check=trusting,
            remedy="Name who is trusted, or add a condition such as aws:SourceAccount.",
            types=tuple(RESOURCE_POLICIES), severity="critical",
            frameworks=("NIST 800-53 AC-3", "NIST 800-53 AC-6", "SOC 2 CC6.1"),
        ),
        expect(
            "nobody-is-administrator",
            "No role, user or group is attached to a policy that allows everything.",
            ATTACHMENTS,
            lambda value: not TOO_MUCH.search(str(value)),
            "is allowed everything",
            "attach a policy that names what it needs",
            subject=ME, severity="critical",
            frameworks=("CIS AWS 3.0 1.16", "NIST 800-53 AC-6", "SOC 2 CC6.3"),
        ),
        expect(
            "users-have-no-keys",
            "There are no access keys of users; roles bring short-lived ones.",
            {"aws:iam/accessKey:AccessKey": ("user",)},
            lambda _: False,
            "is a key that does not expire",
            "let the workload or the pipeline assume a role",
            subject=ME, severity="high", frameworks=("CIS AWS 3.0 1.13", "NIST 800-53 IA-5"),
        ),
        ResourceRule(
            name="google-roles-are-narrow",
            description="No Google Cloud grant uses a basic role, and none is to everybody.",
            check=broad_grant,
            remedy="Grant a predefined role of one service to a named member.",
            severity="critical",
            frameworks=("CIS GCP 3.0 1.5", "CIS GCP 3.0 5.1", "NIST 800-53 AC-6", "SOC 2 CC6.3"),
        ),
        ResourceRule(
            name="rbac-names-what-it-allows",
            description="No Kubernetes role allows all verbs or resources, or lets its holder take more rights.",
            check=wild_role,
            remedy="Name API groups, resources and verbs.",
            types=ROLES, severity="high",
            frameworks=("CIS Kubernetes 1.10 5.1.3", "CIS Kubernetes 1.10 5.1.8", "NIST 800-53 AC-6"),
        ),
        ResourceRule(
            name="nobody-is-cluster-admin",
            description="Nobody is bound to cluster-admin, and no role to everybody.",
            check=bound,
            remedy="Bind a role that names what is needed to a named subject.",
            types=BINDINGS, severity="critical",
            frameworks=("CIS Kubernetes 1.10 5.1.1", "NIST 800-53 AC-6", "SOC 2 CC6.3"),
        ),
        ResourceRule(
            name="secrets-are-not-in-the-environment",
            description="No password, token or key stands in plain environment variables.",
            check=plain_secrets,
            remedy="Read it from a secret store, such as by valueFrom or a mounted file.",
            severity="critical",
            frameworks=("CIS Kubernetes 1.10 5.4.1", "NIST 800-53 IA-5", "SOC 2 CC6.1"),
        ),
    )  # fmt: skip


def statements(document: Any) -> list[Mapping[str, Any]]:
    """The statements of a policy document, as text or as a map; none where it is not known."""
    if isinstance(document, str):
        if is_unknown(document):
            return []
        try:
            document = json.loads(document)
        except ValueError:
            return []
    found = document.get("Statement") if isinstance(document, Mapping) else None
    listed = found if isinstance(found, list) else [found]
    return [one for one in listed if isinstance(one, Mapping)]


def _words(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [str(one) for one in listed if one is not None]


def sweeping(resource: Resource) -> Iterator[str]:
    for one in statements(resource.get(IDENTITY_POLICIES[resource.type])):
        if one.get("Effect") != "Allow":
            continue
        everywhere = "*" in _words(one.get("Resource")) and not one.get("Condition")
        wild = [
            a for a in _words(one.get("Action")) if a == "*" or (a.endswith(":*") and everywhere)
        ]
        if one.get("NotAction") is not None and everywhere:
            wild.append("everything but a list")
        if one.get("NotResource") is not None:
            wild.append("all resources but a list")
        if wild:
            where = "on all resources" if everywhere else "there"
            yield f"{resource.name} allows {', '.join(wild)} {where}; name the actions and the resources."


def trusting(resource: Resource) -> Iterator[str]:
    if resource.type.endswith(":Permission"):
        source = (
            resource.get("sourceAccount")
            or resource.get("sourceArn")
            or resource.get("principalOrgId")
        )
        if resource.get("principal") == "*" and not source:
            yield f"{resource.name} lets everybody call a function; name the caller."
        return
    for one in statements(resource.get(RESOURCE_POLICIES[resource.type])):
        if one.get("Effect") != "Allow" or one.get("Condition"):
            continue
        principal = one.get("Principal")
        named = principal.values() if isinstance(principal, Mapping) else [principal]
        everybody = any("*" in _words(value) for value in named)
        if everybody or one.get("NotPrincipal") is not None:
            yield f"{resource.name} trusts everybody without a condition; name who is trusted."
        if isinstance(principal, Mapping) and principal.get("Federated") is not None:
            yield f"{resource.name} trusts every token of {principal['Federated']}; add a condition on its subject."


def broad_grant(resource: Resource) -> Iterator[str]:
    if not MEMBERS.match(resource.type):
        return
    role = str(resource.get("role"))
    members = [str(resource.get("member")), *map(str, resource.items("members"))]
    if role in BASIC_ROLES:
        yield f"{resource.name} grants {role}; grant a role of one service."
    for member in EVERYBODY.intersection(members):
        yield f"{resource.name} grants {role} to {member}; name a member."


def wild_role(resource: Resource) -> Iterator[str]:
    for rule in resource.items("rules"):
        if not isinstance(rule, Mapping):
            continue
        verbs, kinds = set(_words(rule.get("verbs"))), set(_words(rule.get("resources")))
        wild = [name for name, found in (("verbs", verbs), ("resources", kinds)) if "*" in found]
        taking = sorted(ESCALATING & verbs)
        if wild or taking:
            told = ", ".join([*(f"all {name}" for name in wild), *taking])
            yield f"{resource.name} allows {told}; name what is needed."


def bound(resource: Resource) -> Iterator[str]:
    if resource.get("roleRef.name") == "cluster-admin":
        yield f"{resource.name} makes somebody cluster-admin; bind a role that names what is needed."
    for subject in resource.items("subjects"):
        name = str(subject.get("name")) if isinstance(subject, Mapping) else ""
        if name in {"system:anonymous", "system:unauthenticated", "system:authenticated"}:
            yield f"{resource.name} binds a role to {name}; name a subject."


def plain_secrets(resource: Resource) -> Iterator[str]:
    for name, value in environment(resource):
        if not isinstance(value, str) or not value or is_unknown(value):
            continue
        named = (
            SECRET_NAME.search(name) and not NO_SECRET.search(name) and not NO_SECRET.search(value)
        )
        if named or SECRET_VALUE.search(value):
            yield f"{resource.name} has a secret in plain sight: {name}; read it from a secret store."


def environment(resource: Resource) -> Iterator[tuple[str, Any]]:
    """(name, value) of all environment variables that are written down."""
    path = ENVIRONMENTS.get(resource.type)
    if path:
        found = resource.get(path)
        if isinstance(found, Mapping):
            yield from ((str(name), value) for name, value in found.items())
        return
    pod = pod_of(resource)
    listed = list(containers(pod)) if pod is not None else []
    key = "env"
    if resource.type in {"gcp:cloudrunv2/service:Service", "gcp:cloudrunv2/job:Job"}:
        paths = ("template.containers", "template.template.containers")
        listed = [one for path in paths for one in resource.items(path) if isinstance(one, Mapping)]
        key = "envs"
    if resource.type == "aws:ecs/taskDefinition:TaskDefinition":
        listed, key = _of_ecs(resource.get("containerDefinitions")), "environment"
    for container in listed:
        variables = container.get(key)
        for one in variables if isinstance(variables, list) else ():
            if isinstance(one, Mapping):
                yield str(one.get("name")), one.get("value")


def _of_ecs(definitions: Any) -> list[Mapping[str, Any]]:
    try:
        found = json.loads(definitions) if isinstance(definitions, str) else []
    except ValueError:
        return []
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
