"""Who may do what: IAM policies, Kubernetes RBAC, Google Cloud roles, and secrets in plain sight."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gate import ResourceRule, Rule
from pricing.declared import Resource, is_unknown

from security.expect import ABSENT, expect, values, world
from security.kubernetes import containers, pod_of

IDENTITY_POLICIES = {
    "aws:iam/policy:Policy": "policy",
    "aws:iam/rolePolicy:RolePolicy": "policy",
    "aws:iam/userPolicy:UserPolicy": "policy",
    "aws:iam/groupPolicy:GroupPolicy": "policy",
    "aws:iam/role:Role": "inlinePolicies.*.policy",
    "aws:ssoadmin/permissionSetInlinePolicy:PermissionSetInlinePolicy": "inlinePolicy",
}
"""Where policies of who may do what stand."""
RESOURCE_POLICIES = {
    "aws:iam/role:Role": "assumeRolePolicy",
    "aws:s3/bucket:Bucket": "policy",
    "aws:s3/bucketV2:BucketV2": "policy",
    "aws:s3/bucketPolicy:BucketPolicy": "policy",
    "aws:s3/accessPoint:AccessPoint": "policy",
    "aws:efs/fileSystemPolicy:FileSystemPolicy": "policy",
    "aws:sns/topic:Topic": "policy",
    "aws:kms/externalKey:ExternalKey": "policy",
    "aws:kms/keyPolicy:KeyPolicy": "policy",
    "aws:dynamodb/resourcePolicy:ResourcePolicy": "policy",
    "aws:secretsmanager/secret:Secret": "policy",
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
GOOGLE_ACL = re.compile(r"^gcp:storage/.*(ACL|AccessControl)$")
GOOGLE_POLICY = re.compile(r"^gcp:.*(IAMPolicy|IamPolicy)$")
KUBERNETES_EVERYBODY = frozenset(
    {
        "system:anonymous",
        "system:unauthenticated",
        "system:authenticated",
        "system:serviceaccounts",
        "system:masters",
    }
)
ALL_RESOURCES = re.compile(r"[*?]+|arn:[^:]*(:[^:]*){0,3}:[*?]+")
"""`*`, or an ARN whose part that names something is a wildcard."""
SAYS_NOT_WHO = frozenset(
    {
        "aws:securetransport",
        "aws:currenttime",
        "aws:epochtime",
        "aws:useragent",
        "aws:referer",
        "s3:tlsversion",
        "aws:requestedregion",
    }
)
"""Keys of conditions that anybody can meet."""
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
    "gcp:cloudfunctions/function:Function": "environmentVariables",
    "aws:sagemaker/model:Model": "primaryContainer.environment",
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
    found = _lower(document).get("statement") if isinstance(document, Mapping) else None
    listed = found if isinstance(found, list) else [found]
    return [_lower(one) for one in listed if isinstance(one, Mapping)]


def _lower(found: Mapping[str, Any]) -> dict[str, Any]:
    """Whatever the case of its keys."""
    return {str(key).lower(): value for key, value in found.items()}


def _allowing(resource: Resource, path: str) -> Iterator[Mapping[str, Any]]:
    """Statements that allow something, by keys in lower case."""
    for document in values(resource.inputs, path):
        for one in statements(None if document is ABSENT else document):
            if str(one.get("effect")).lower() == "allow":
                yield one


def _narrows(condition: Any) -> bool:
    """Whether a condition says who, or from where; one that anybody can meet does not."""
    if is_unknown(condition):
        return True
    for operator, tests in condition.items() if isinstance(condition, Mapping) else ():
        if "not" in str(operator).lower() or str(operator).lower() == "null":
            continue
        for key, wanted in tests.items() if isinstance(tests, Mapping) else ():
            words = _words(wanted)
            wild = not words or any(not word.strip("*?") for word in words) or world(words)
            if not wild and str(key).lower() not in SAYS_NOT_WHO:
                return True
    return False


def _whole_service(action: str) -> bool:
    """`*`, `iam:*`, `?*:*`: nothing of the action itself is named."""
    return not action.rpartition(":")[2].strip("*?")


def _words(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [str(one) for one in listed if one is not None]


def sweeping(resource: Resource) -> Iterator[str]:
    for one in _allowing(resource, IDENTITY_POLICIES[resource.type]):
        everything = any(map(ALL_RESOURCES.fullmatch, _words(one.get("resource"))))
        everywhere = everything and not _narrows(one.get("condition"))
        wild = [
            action
            for action in _words(one.get("action"))
            if _whole_service(action) and (everywhere or not action.partition(":")[0].strip("*?"))
        ]
        if one.get("notaction") is not None and everywhere:
            wild.append("everything but a list")
        if one.get("notresource") is not None:
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
    for one in _allowing(resource, RESOURCE_POLICIES[resource.type]):
        if _narrows(one.get("condition")):
            continue
        principal = one.get("principal")
        named = principal.values() if isinstance(principal, Mapping) else [principal]
        everybody = any("*" in _words(value) for value in named)
        if everybody or one.get("notprincipal") is not None:
            yield f"{resource.name} trusts everybody without a condition; name who is trusted."
        federated = _lower(principal).get("federated") if isinstance(principal, Mapping) else None
        if federated is not None:
            yield f"{resource.name} trusts every token of {federated}; add a condition on its subject."


def broad_grant(resource: Resource) -> Iterator[str]:
    if GOOGLE_ACL.match(resource.type):
        said = [
            resource.get("entity"),
            resource.get("predefinedAcl"),
            *resource.items("roleEntities"),
        ]
        if any(
            re.search(r"all(Authenticated)?Users|public|^authenticatedRead", str(one))
            for one in said
        ):
            yield f"{resource.name} opens a bucket to everybody; name who may read it."
    if GOOGLE_POLICY.match(resource.type):
        for grant in _bindings(resource.get("policyData")):
            yield from _broad(resource, str(grant.get("role")), _words(grant.get("members")))
    if not MEMBERS.match(resource.type):
        return
    role = str(resource.get("role"))
    members = [str(resource.get("member")), *map(str, resource.items("members"))]
    yield from _broad(resource, role, members)


def _bindings(policy: Any) -> list[Mapping[str, Any]]:
    """The grants of an IAM policy as Google writes it."""
    try:
        found = json.loads(policy) if isinstance(policy, str) and not is_unknown(policy) else {}
    except ValueError:
        return []
    listed = found.get("bindings") if isinstance(found, Mapping) else None
    return [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []


def _broad(resource: Resource, role: str, members: Iterable[str]) -> Iterator[str]:
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
        if name in KUBERNETES_EVERYBODY:
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
    if resource.type.startswith(("gcp:cloudrun/", "gcp:cloudrunv2/")):
        paths = ("template.containers", "template.template.containers", "template.spec.containers")
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
